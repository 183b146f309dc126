"""What the reports can be asked: query parameters, checked, with errors that name what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.attribution.models import DATA_DRIVEN, ONE_DIMENSION
from app.attribution.question import DIMENSIONS, Question
from app.attribution.rules import MODELS
from app.errors import Unprocessable
from app.reports.as_of import AsOf
from app.sites.days import first_instant
from app.sites.properties import OF_PEOPLE, Condition, Filter, Property, conditions_of, properties_of_site
from app.sites.settings import Lookback
from app.sites.site import Site
from app.tables import to_micros

STAGES = ("lead", "mql", "sql", "opportunity", "customer")
"""Kinds of conversion that every site has; its goals and forms come on top."""

MONEY_OF_KIND = {"customer": "revenue", "opportunity": "pipeline"}
"""What the money of a kind of conversion is called; kinds without money are counted only."""

_DAY_SECONDS = 86_400
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _day(value: Any) -> Any:
    """Refuses what pydantic would read too generously as a day: numbers, times."""
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("a day is written YYYY-MM-DD")
    if isinstance(value, str) and not "1970-01-02" <= value <= "2199-12-31":
        raise ValueError("a day from 1970-01-02 to 2199-12-31 is needed")
    return value


def _distinct(text: str) -> str:
    names = text.split(",")
    if len(set(names)) < len(names):
        raise ValueError("the same grouping is named twice")
    return text


def is_text(*texts: str) -> bool:
    """Whether both databases can look for it: no NUL, no half of a surrogate pair."""
    return not any(_NOT_TEXT.search(text) for text in texts)


def _text(value: str) -> str:
    if not is_text(value):
        raise ValueError("it holds NUL or half a character")
    return value


QueryText = Annotated[str, AfterValidator(_text)]
Day = Annotated[date, BeforeValidator(_day)]
SlicedGrouping = Annotated[str, Field(max_length=1_000), AfterValidator(_distinct)]
"""Dimensions and properties; which there are, the site says: see `grouping`."""
ModelName = Annotated[str, AfterValidator(_text), Field(max_length=64, examples=[*MODELS])]
"""A model by its name; `check_model` says whether the site has it."""
Format = Literal["json", "csv"]


MODEL_NAMES = f"{', '.join(f'`{name}`' for name in MODELS)}, or one of the site's own (`/v1/models`)"
"""What `model=` can be, for descriptions."""


def check_model(question: Question, name: str, *others: str) -> None:
    """Unprocessable, naming what is allowed, unless the site has a model of that name or it is one of the `others`."""
    allowed = (*question.models, *others)
    if name not in allowed:
        raise Unprocessable(f"Unknown model {name[:64]!r}; allowed: {', '.join(allowed)}.")


class Interval(BaseModel):
    """Half-open local days. Without `from` everything since the beginning counts, without `to` everything up to now."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    site: str | None = Field(None, description="The site, where the key serves several.")
    from_day: Day | None = Field(None, alias="from", description="First day counted, in the site's time zone; absent: since the beginning.")
    to_day: Day | None = Field(None, alias="to", description="First day not counted; absent: no end.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        """`from=&to=` is what forms send for what was left open: an empty value is an absent one."""
        return {name: value for name, value in given.items() if value not in ("", [""])} if isinstance(given, dict) else given

    def bounds(self, timezone: str) -> tuple[int | None, int | None]:
        """The interval in microseconds. Unprocessable if it is empty."""
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise Unprocessable("`from` is the first day counted and `to` the first not counted: `from` must be earlier than `to`.")
        zone = ZoneInfo(timezone)
        starts_at, ends_at = (None if day is None else to_micros(first_instant(day, zone)) for day in (self.from_day, self.to_day))
        return starts_at, ends_at


class Sliced(Interval):
    """Only what certain properties hold of: of the conversions and theirs, or of people."""

    filter: list[Filter] = Field(
        [],
        description="`property:value,value` (any of them) or `property:!value` (none of them); several must all hold. Properties are those "
        "that the site maps, and `pipeline`, `deal_stage`, `type`, `owner`, `company`, `company_domain`, `customer` (`new` or `existing`); "
        "what has none is `(not set)`. A backslash before a comma makes it part of a value.",
    )
    segment: str | None = Field(None, max_length=100, description="A saved segment: its filters must hold too.")

    def conditions(self, site: Site) -> tuple[Condition, ...]:
        """What is asked to hold. Unprocessable, naming what is allowed, for a property or segment that the site has not."""
        saved = {each.name: each.filters for each in site.settings.segments}
        if self.segment is not None and self.segment not in saved:
            raise Unprocessable(f"Unknown segment {self.segment[:60]!r}; saved are: {', '.join(saved) or 'none'}.")
        wanted = [*self.filter, *(saved[self.segment] if self.segment else ())]
        try:
            return conditions_of(wanted, properties_of_site(site.settings.properties))
        except ValueError as error:
            raise Unprocessable(f"filter: {error}.") from None

    @property
    def sliced_by(self) -> dict[str, Any]:
        """What an answer says of it: nothing, where nothing was asked."""
        return ({"filter": self.filter} if self.filter else {}) | ({"segment": self.segment} if self.segment else {})


def grouping(
    by: str,
    site: Site,
    *,
    allowed: Iterable[Property] | None = None,
    dimensions: Sequence[str] = DIMENSIONS,
    one_of: Sequence[str] = (),
    money: str | None = None,
) -> tuple[tuple[str, ...], tuple[Property, ...]]:
    """(names, properties among them) of a grouping. Unprocessable, naming what is allowed, for a name that is neither one of the
    `dimensions`, nor `one_of` those of which only one can be named, nor one of the `allowed` properties (absent: all of the site's); and
    for a property that has the name of the `money` beside it."""
    site_has = properties_of_site(site.settings.properties)
    known = site_has if allowed is None else {each.name: each for each in allowed}
    names, others = tuple(by.split(",")), (*dimensions, *one_of)
    if unknown := [name for name in names if name not in others and name not in known]:
        single = f"one of {', '.join(one_of)}; and " if one_of else ""
        every = ", ".join([*dimensions, *known]) or "properties of people and companies, of which the site maps none"
        raise Unprocessable(f"by: unknown grouping {unknown[0][:40]!r}; allowed: {single}any, with commas, of {every}.")
    if len([name for name in names if name in one_of]) > 1:
        raise Unprocessable(f"by: only one of {', '.join(one_of)} can be named here, and properties beside it.")
    if money in names:
        raise Unprocessable("by: `pipeline` is the money of opportunities here; to group by the CRM's pipelines write `deal_pipeline`.")
    return names, tuple(known[name] for name in names if name not in others)


class Filters(Sliced):
    """What the attribution report and the list of conversions behind it have in common."""

    conversion: str = Field(
        "customer", max_length=205, description="`lead`, `mql`, `sql`, `opportunity`, `customer`, or the name of a goal."
    )
    lookback_days: Lookback | None = Field(None, description="Look-back before each conversion; absent: the site's for this kind.")
    exclude_direct: bool = Field(False, description="Leave Direct touches out of journeys.")
    touches_until: Literal["close", "opportunity", "lead"] = Field(
        "close", description="Only touches at or before this milestone of the conversion take part; `close`: all."
    )
    half_life_days: float | None = Field(None, gt=0, le=365, description="Half-life of `time_decay`; absent: the site's.")

    as_of: AsOf | None = Field(
        None,
        description="Answer as the report would have at that moment: RFC 3339, or a day, which means its end in the site's time zone.",
    )

    def question(self, site: Site) -> Question:
        """The question that these filters ask of a site (as it was at `as_of`: `site_then`). Unprocessable if the interval is empty."""
        if self.as_of is not None and site.as_of is None:
            raise Unprocessable("as_of: this answer is offered for now only.")
        starts_at, ends_at = self.bounds(site.settings.timezone)
        return Question(
            site_id=site.site_id,
            kind=self.conversion,
            currency=site.settings.currency,
            lookback_seconds=self.lookback(site) * _DAY_SECONDS,
            half_life_seconds=max(1, round((self.half_life_days or site.settings.half_life_days) * _DAY_SECONDS)),
            exclude_direct=self.exclude_direct,
            touches_until=self.touches_until,
            own_models=site.models,
            has_money=self.conversion in MONEY_OF_KIND,
            starts_at=starts_at,
            ends_at=ends_at,
            conditions=self.conditions(site),
            as_of=site.as_of,
        )

    def lookback(self, site: Site) -> int:
        """The look-back in days: as asked, else the site's for this kind."""
        return self.lookback_days or site.settings.lookback_days.of(self.conversion)


LABELS = ("channel", "source", "medium", "campaign")
"""What reports on journeys can call a touch."""
AND_PROPERTIES = "and properties as in `filter`, with commas: the rows then carry them."
"""What `by=` takes in every report on journeys, for descriptions."""


class JourneyFilters(Filters):
    """What the reports on journeys have in common: `by` parts their rows by properties, beside what each report goes by anyway."""

    own: ClassVar[Sequence[str]] = ()
    """What the report itself can go by, one at a time."""
    default: ClassVar[str | None] = None
    """Which of its `own` it goes by where `by` names none; None: by none of them."""

    by: SlicedGrouping | None = Field(None, description="Properties as in `filter`, with commas: the rows then carry them.")

    def question(self, site: Site) -> Question:
        """Unprocessable also, naming what is allowed, for a grouping that the report or the site has not."""
        return replace(super().question(site), grouped=self.properties(site))

    def properties(self, site: Site, allowed: Iterable[Property] | None = None) -> tuple[Property, ...]:
        """The properties that `by` names. Unprocessable as `grouping`."""
        money = MONEY_OF_KIND.get(self.conversion)
        return grouping(self.by, site, allowed=allowed, dimensions=(), one_of=self.own, money=money)[1] if self.by else ()

    @property
    def dimension(self) -> str | None:
        """Which of its `own` the report goes by."""
        return next((name for name in self._names if name in self.own), self.default)

    @property
    def grouped_by(self) -> str | None:
        """The whole grouping as an answer states it."""
        names = [*self._names, *([self.default] if self.default and self.dimension not in self._names else [])]
        return ",".join(names) or None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the properties, as rows carry them."""
        return tuple(name for name in self._names if name not in self.own)

    @property
    def _names(self) -> list[str]:
        return self.by.split(",") if self.by else []


class CreditFilters(Filters):
    """What the reports of credit have in common."""

    model: ModelName = Field(
        "linear", description=f"Who gets the credit: `markov`, `shapley`, {MODEL_NAMES}; or `all`: every one, side by side."
    )
    by: SlicedGrouping = Field(
        "channel", description=f"Any of {', '.join(DIMENSIONS)}, and properties as in `filter`, several with commas."
    )
    format: Format = "json"

    def question(self, site: Site) -> Question:
        """Unprocessable also for a grouping that the site has not, or that has the name of the money."""
        _, properties = grouping(self.by, site, money=MONEY_OF_KIND.get(self.conversion))
        return replace(super().question(site), grouped=properties)

    def models(self, question: Question) -> tuple[str, ...]:
        """The rule models asked for. Unprocessable, naming those that the site has, if there is none of that name."""
        check_model(question, self.model, *DATA_DRIVEN, "all")
        return tuple(question.models) if self.model == "all" else tuple(name for name in question.models if name == self.model)


class AttributionFilters(CreditFilters):
    """`GET /v1/reports/attribution`."""

    influenced: bool = Field(
        False,
        description="Show for each row also the conversions with at least one touch of it, `influenced_conversions` and "
        "`influenced_amount`, which do not add up. It looks at every touch, so it takes longer.",
    )
    tracked: bool = Field(
        False,
        description="Say how much of it is tracked end to end: has a touch in reach that was seen by ourselves, not only told of by a CRM "
        "or a list. It looks at every journey, so it takes longer.",
    )
    order: int = Field(1, ge=1, le=3, description="`markov`: how many of the last touches decide what comes next.")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="`markov`, `shapley`: seed of the resamples; the same gives the same intervals.")
    resamples: int = Field(200, ge=100, le=1_000, description="`markov`, `shapley`: how many resamples the intervals rest on.")

    @model_validator(mode="after")
    def _what_can_be_data_driven(self) -> AttributionFilters:
        if self.model in DATA_DRIVEN and (reason := self.not_data_driven):
            raise ValueError(f"model `{self.model}` {reason}")
        return self

    @property
    def data_driven(self) -> tuple[str, ...]:
        """The data-driven models asked for, as far as they can credit by what is asked."""
        return () if self.not_data_driven else tuple(name for name in DATA_DRIVEN if self.model in ("all", name))

    @property
    def not_data_driven(self) -> str | None:
        """Why the data-driven models have no answer to this; None where they have."""
        if self.by not in ONE_DIMENSION:
            return f"credits by exactly one of {', '.join(ONE_DIMENSION)}"
        if self.as_of is not None:
            return "is offered for now only: touches of people who did not convert have no history"
        return None


class FunnelFilters(Sliced):
    """`GET /v1/reports/funnel`."""

    by: SlicedGrouping = Field("channel", description="What to group the first touches by; also properties of people and companies.")
    format: Format = "json"

    def grouping(self, site: Site) -> tuple[tuple[str, ...], tuple[Property, ...]]:
        """(names, properties among them): a funnel is of people, so only their own and their companies' are known."""
        return grouping(self.by, site, allowed=of_people(site))

    def conditions(self, site: Site) -> tuple[Condition, ...]:
        """Unprocessable also for a property of deals or conversions."""
        conditions, allowed = super().conditions(site), of_people(site)
        if unknown := [each.property.name for each in conditions if each.property not in allowed]:
            known = ", ".join(each.name for each in allowed) or "none that the site maps"
            raise Unprocessable(f"filter: a funnel is of people, and {unknown[0]!r} is of deals; allowed: {known}.")
        return conditions


def of_people(site: Site) -> list[Property]:
    """The properties of people and companies: all that can be told of who has no deal."""
    known = properties_of_site(site.settings.properties).values()
    return [each for each in known if each.of in OF_PEOPLE]


# ---------------------------------------------------------------- which conversions a site has


def names_of_forms() -> Select[Any]:
    """A row a name of a form: each is a goal `form:<name>`. Reads `form_labels`, which is small."""
    return select(tables.form_labels.c.name).where(tables.form_labels.c.site_id == bindparam("site_id")).distinct()


async def check_kind(connection: AsyncConnection, site: Site, kind: str) -> None:
    """Unprocessable, naming the allowed kinds, if the site has no conversions of that name."""
    goals = [goal.name for goal in site.settings.goals]
    if kind in STAGES or kind in goals:
        return
    forms = sorted(f"form:{name}" for name in await connection.scalars(names_of_forms(), {"site_id": site.site_id}))
    if kind not in forms:
        raise Unprocessable(f"Unknown conversion {kind[:60]!r}; allowed: {', '.join([*STAGES, *goals, *forms[:100]])}.")
