"""The models that a site names itself: made, changed and removed.

Every function works within the caller's transaction; `now` is when it happens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, bindparam, delete, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.rules import MODELS
from app.db import insert_new
from app.errors import Conflict, NotFound, Unprocessable
from app.sites.administration import lock_site, unprocessable
from app.sites.settings import merge_patch
from app.sites.site import load_site
from app.sites.weights import OwnModel, Weights

RESERVED = ("all", "markov", "shapley")
"""Names that `model=` understands, besides the rule models."""
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
    if len((await load_site(connection, site_id)).models) >= MOST:
        raise Unprocessable(f"A site has at most {MOST} models of its own.")
    made = OwnModel(wanted.name, wanted.weights, now)
    stored = await connection.execute(insert_new(connection.dialect.name == "sqlite", tables.models), {"site_id": site_id, **_row(made)})
    if stored.rowcount != 1:
        raise Conflict(f"There is a model {wanted.name!r} already.")
    return made


async def change_model(connection: AsyncConnection, site_id: str, name: str, changes: Mapping[str, Any], now: datetime) -> OwnModel:
    """Apply a JSON merge patch: `{"weights": {…}}`, of which each one given replaces the old. Reports follow at once."""
    await lock_site(connection, site_id)
    before = await find_model(connection, site_id, name)
    patched = _checked(_Changes, merge_patch({"weights": before.weights.as_numbers()}, dict(changes)))
    if patched.weights == before.weights:
        return before
    after = OwnModel(name, patched.weights, now)
    await connection.execute(update(tables.models).where(_is_named()).values(_row(after)), {"of_site": site_id, "of_name": name})
    return after


async def delete_model(connection: AsyncConnection, site_id: str, name: str) -> None:
    """Remove a model. NotFound if the site has none of that name."""
    await find_model(connection, site_id, name)
    await connection.execute(delete(tables.models).where(_is_named()), {"of_site": site_id, "of_name": name})


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise Unprocessable("name: 1 to 64 letters, digits, - or _, beginning with a letter or digit.")
    if name.casefold() in (*MODELS, *RESERVED):
        raise Unprocessable(f"name: {name!r} is taken; {', '.join((*MODELS, *RESERVED))} mean the same on every site.")


def _checked(model: type[Any], fields: Mapping[str, Any]) -> Any:
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise unprocessable(error) from None


def _row(model: OwnModel) -> dict[str, Any]:
    weights = {f"{name}_permille": share for name, share in model.weights.permille.items()}
    return {"name": model.name, **weights, "changed_at": model.changed_at}


def _is_named() -> ColumnElement[bool]:
    model = tables.models.c
    return (model.site_id == bindparam("of_site")) & (model.name == bindparam("of_name"))
