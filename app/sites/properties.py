"""What a site's reports can be filtered and grouped by, besides where touches came from: properties, filters, saved segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NOT_SET = "(not set)"
"""The value of what has none."""
MOST_FILTERS = 20
MOST_VALUES = 100

Holder = Literal["person", "company", "deal", "conversion"]
OF_PEOPLE = ("person", "company")
"""Holders that say something of a person, with a deal or without."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_PART = re.compile(r"(?:\\.|[^,\\])*", re.DOTALL)


@dataclass(frozen=True)
class Property:
    """One thing that is known of a person, a company, a deal, or a conversion as a whole."""

    name: str
    """What `filter` and `by` call it."""
    of: Holder
    source: str
    """The key as it was sent; of a built-in property the column of `deals`, or what is computed."""
    is_built_in: bool = False

    @property
    def column(self) -> str:
        """Its column within a statement, which no other has."""
        return f"property_{self.name}"


@dataclass(frozen=True)
class Condition:
    """Only conversions (or people) of which the property has one of the values, or none of them."""

    property: Property
    values: tuple[str, ...]
    is_not: bool = False


CUSTOMER = Property("customer", "conversion", "customer", is_built_in=True)
"""`existing`: one of its people, or its company, had won a deal before it; else `new`."""
BUILT_IN = (
    Property("pipeline", "deal", "pipeline", is_built_in=True),
    Property("deal_pipeline", "deal", "pipeline", is_built_in=True),
    Property("deal_stage", "deal", "stage", is_built_in=True),
    Property("type", "deal", "type", is_built_in=True),
    Property("owner", "deal", "owner", is_built_in=True),
    Property("company", "deal", "company_name", is_built_in=True),
    Property("company_domain", "deal", "company_domain", is_built_in=True),
    CUSTOMER,
)
"""What every site has. `deal_pipeline` is for where `pipeline` names the money of opportunities."""

TAKEN = frozenset({
    "channel", "source", "medium", "campaign", "term", "content", "landing_page", "referrer", "model", "site", "from", "to", "currency",
    "conversion", "conversions", "revenue", "removal_effect", "low", "high", "visitors", "leads", "mqls", "sqls", "opportunities",
    "customers", "implied", "steps", "visitor", "lead", "mql", "sql", "opportunity", "step", "duration", "rank", "count", "millionths",
    "minor", "revenue_low", "revenue_high", "pipeline_low", "pipeline_high", "influenced_conversions", "influenced_amount", "before",
    "after", "change", "causes", "by_lookback_days", "spread", "models", "path", "days", "sourced_by", "touches", "is_cut",
    "non_converting", "conversion_rate", "a", "b", "share_of_a", "share_of_b", "page", "section", "form", "asset", "readers", "views",
    "engaged_seconds", "pipeline_at_creation", "pipeline_now", "reason", "uncontacted", "missed", "open", "lost", "won", "disqualified",
    "unknown", "need_contact", "missed_share", "lost_share", "late", "may_not_be_contacted", "amounts", "response", "slow_follow_up",
    *(each.name for each in BUILT_IN),
})  # fmt: skip
"""Names that already mean something in a question or an answer."""


# ---------------------------------------------------------------- what a site maps


def _property_name(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name[:60]!r} is not a name of a property: it has at most 64 of a-z, 0-9 and _, and begins with a letter")
    if name in TAKEN:
        raise ValueError(f"{name!r} means something else in a report; choose another name, such as my_{name}")
    return name


def _printable(text: str) -> str:
    stripped = text.strip()
    if not stripped or _NOT_TEXT.search(stripped):
        raise ValueError("a name must have at least one character and no control characters")
    return stripped


class MappedProperty(BaseModel):
    """A property that the site's senders send, under a name for its reports."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    name: Annotated[str, AfterValidator(_property_name)] = Field(description="What `filter` and `by` call it.")
    of: Literal["person", "company", "deal"] = Field(description="Whose `properties` it is among.")
    source: Annotated[str, Field(max_length=100), AfterValidator(_printable)] = Field(alias="from", description="The key as it is sent.")


def properties_of_site(mapped: Iterable[MappedProperty]) -> dict[str, Property]:
    """Every property of a site by name: its own first, then the built-in ones."""
    own = [Property(each.name, each.of, each.source) for each in mapped]
    return {each.name: each for each in (*own, *BUILT_IN)}


# ---------------------------------------------------------------- filters


def condition_of(text: str, known: dict[str, Property]) -> Condition:
    """A filter `name:value,value` (any of them) or `name:!value,value` (none of them). ValueError in words, if it is none.

    A backslash takes the meaning from what follows it: a comma within a value, an exclamation mark that begins one.
    """
    name, colon, said = text.partition(":")
    if name not in known:
        raise ValueError(f"unknown property {name[:60]!r}; allowed: {', '.join(known)}")
    is_not = said.startswith("!")
    values = _values(said[1:] if is_not else said)
    if not colon or not any(values):
        raise ValueError(f"{text[:60]!r} names no value: write {name}:value, several with commas, {name}:!value for all others")
    if len(values) > MOST_VALUES:
        raise ValueError(f"a filter has at most {MOST_VALUES} values")
    return Condition(known[name], tuple(dict.fromkeys(values)), is_not)


def _values(text: str) -> list[str]:
    """The values between commas, without the backslashes; what is empty says nothing."""
    if _NOT_TEXT.search(text):
        raise ValueError("a value of a filter has no control characters")
    parts = (re.sub(r"\\(.)", r"\1", part).strip() for part in _PART.findall(text))
    return [part for part in parts if part]


def conditions_of(texts: Sequence[str], known: dict[str, Property]) -> tuple[Condition, ...]:
    """The conditions that filters set: all of them must hold. ValueError in words, if one is none."""
    if len(texts) > MOST_FILTERS:
        raise ValueError(f"at most {MOST_FILTERS} filters can be combined")
    return tuple(condition_of(text, known) for text in texts)


Filter = Annotated[str, Field(min_length=1, max_length=5_000)]


class Segment(BaseModel):
    """Filters under a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100), AfterValidator(_printable)] = Field(description="What `segment=` calls it.")
    filters: list[Filter] = Field(
        min_length=1, max_length=MOST_FILTERS, description="As in `filter=`: `industry:Software,Finance`, `country:!DE`; all must hold."
    )
