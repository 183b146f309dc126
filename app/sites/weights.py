"""Models of a site's own: weights of the milestones of a journey."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Row, Select, bindparam, exists, select

from app import tables

Percent = Annotated[Decimal, Field(ge=0, le=100, multiple_of=Decimal("0.1"))]


class Weights(BaseModel):
    """What each milestone gets, in per cent with at most one decimal; together 100."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Percent = Field(Decimal(0), description="The first touch.")
    lead: Percent = Field(Decimal(0), description="The last touch at or before the lead.")
    opportunity: Percent = Field(Decimal(0), description="The last touch at or before the opportunity.")
    last: Percent = Field(Decimal(0), description="The last touch.")
    rest: Percent = Field(Decimal(0), description="Divided evenly over the touches that hold no milestone of this model.")

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = sum(vars(self).values())
        if total != 100:
            raise ValueError(f"the weights add up to {total.normalize():f}: they must add up to 100")
        return self

    @property
    def permille(self) -> dict[str, int]:
        """Each in tenths of a per cent."""
        return {name: int(each * 10) for name, each in vars(self).items()}

    def as_numbers(self) -> dict[str, int | float]:
        """Each in per cent, as JSON writes it."""
        return {name: each // 10 if each % 10 == 0 else each / 10 for name, each in self.permille.items()}


@dataclass(frozen=True)
class OwnModel:
    """A model that a site has named."""

    name: str
    weights: Weights
    changed_at: datetime
    """When it was made, or last changed."""


def models_of_site(*, then: bool = False) -> Select[Any]:
    """A row a model that the site `:of_site` has, or had at `:as_of` (microseconds), by name. Index: the key of `models`."""
    model, later = tables.models, tables.models.alias("later_models")
    as_of = bindparam("as_of", type_=tables.Moment)
    is_later = [later.c.site_id == model.c.site_id, later.c.name == model.c.name, later.c.changed_at > model.c.changed_at]
    known = [each.c.changed_at <= as_of for each in (model, later) if then]
    newest = ~exists().where(*is_later, *known[1:])
    return select(model).where(model.c.site_id == bindparam("of_site"), ~model.c.is_gone, newest, *known[:1]).order_by(model.c.name)


def read_model(row: Row[Any]) -> OwnModel:
    """A row of `models`."""
    weights = {name: Decimal(getattr(row, f"{name}_permille")) / 10 for name in Weights.model_fields}
    return OwnModel(row.name, Weights(**weights), row.changed_at)
