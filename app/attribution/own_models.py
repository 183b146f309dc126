"""The models that a site names itself: made, changed and removed. Each change is a row, so that an earlier moment has its own.

Every function works within the caller's transaction; `now` is when it happens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.models import DATA_DRIVEN
from app.attribution.rules import MODELS
from app.errors import Conflict, NotFound, Unprocessable
from app.sites.administration import lock_site, unprocessable
from app.sites.settings import merge_patch
from app.sites.site import load_site
from app.sites.weights import OwnModel, Weights

TAKEN = (*MODELS, *DATA_DRIVEN, "all")
"""Names that `model=` understands on every site."""
MOST = 50
"""Models of a site: `model=all` computes each."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


class NewModel(BaseModel):
    """A model to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="1 to 64 letters, digits, - or _; stands in `model=`.")
    weights: Weights


class _Changes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    weights: Weights


async def find_model(connection: AsyncConnection, site_id: str, name: str) -> OwnModel:
    """One model of the site. NotFound if it has none of that name."""
    for each in (await load_site(connection, site_id)).models:
        if each.name == name:
            return each
    raise NotFound(f"This site has no model of its own named {name[:64]!r}.")


async def create_model(connection: AsyncConnection, site_id: str, fields: Mapping[str, Any] | NewModel, now: datetime) -> OwnModel:
    """Make a model. Unprocessable if a value is not allowed; Conflict if the site has a model of that name."""
    wanted = fields if isinstance(fields, NewModel) else _checked(NewModel, fields)
    _check_name(wanted.name)
    await lock_site(connection, site_id)
    known = (await load_site(connection, site_id)).models
    if len(known) >= MOST:
        raise Unprocessable(f"A site has at most {MOST} models of its own.")
    if wanted.name in {each.name for each in known}:
        raise Conflict(f"There is a model {wanted.name!r} already.")
    return await _write(connection, site_id, OwnModel(wanted.name, wanted.weights, now))


async def change_model(connection: AsyncConnection, site_id: str, name: str, changes: Mapping[str, Any], now: datetime) -> OwnModel:
    """Apply a JSON merge patch: `{"weights": {…}}`, of which each one given replaces the old. Reports follow at once."""
    await lock_site(connection, site_id)
    before = await find_model(connection, site_id, name)
    patched = _checked(_Changes, merge_patch({"weights": before.weights.as_numbers()}, dict(changes)))
    if patched.weights == before.weights:
        return before
    return await _write(connection, site_id, OwnModel(name, patched.weights, now))


async def delete_model(connection: AsyncConnection, site_id: str, name: str, now: datetime) -> None:
    """Remove a model. NotFound if the site has none of that name."""
    await lock_site(connection, site_id)
    gone = await find_model(connection, site_id, name)
    await _write(connection, site_id, replace(gone, changed_at=now), is_gone=True)


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise Unprocessable("name: 1 to 64 letters, digits, - or _, beginning with a letter or digit.")
    if name.casefold() in TAKEN:
        raise Unprocessable(f"name: {name!r} is taken; {', '.join(TAKEN)} mean the same on every site.")


def _checked(model: type[Any], fields: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise unprocessable(error) from None


async def _write(connection: AsyncConnection, site_id: str, model: OwnModel, *, is_gone: bool = False) -> OwnModel:
    weights = {f"{name}_permille": share for name, share in model.weights.permille.items()}
    row = {"site_id": site_id, "name": model.name, "changed_at": model.changed_at, **weights, "is_gone": is_gone}
    await connection.execute(insert(tables.models), row)
    return model
