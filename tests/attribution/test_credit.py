"""Credit: exact, closed, and the same as plain Python says, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.attribution.credit import credit_by
from app.attribution.ledger import ledger_by_reason
from app.attribution.question import DIMENSIONS, Question
from app.attribution.rules import MODELS
from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import DAY, NOON, SECOND, Conversion, Entry, Touched, question, store, store_labels
from tests.attribution.witness import credit_by_channel

pytestmark = pytest.mark.anyio

CHANNELS = ["Email", "Paid Search", "Referral"]


@pytest.fixture(autouse=True)
async def labels(database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, [*CHANNELS, "Direct"])


async def credit(database: Database, asked: Question, model: str, by: Sequence[str] = ("channel",)) -> dict[Any, tuple[int, int]]:
    """(millionths, minor units) by channel, or by the tuple of several dimensions."""
    async with database.read() as connection:
        rows = await connection.execute(credit_by(asked, model, by), asked.parameters)
        return {row[0] if len(by) == 1 else tuple(row[:-2]): tuple(row[-2:]) for row in rows}


async def ledger(database: Database, asked: Question) -> dict[str | None, tuple[int, int]]:
    """(millionths, minor units) by reason, foreign money left out."""
    sums: dict[str | None, Counter[str]] = {}
    async with database.read() as connection:
        for row in await connection.execute(ledger_by_reason(asked), asked.parameters):
            sums.setdefault(row.reason, Counter()).update({"millionths": row.millionths, "minor": row.minor * row.is_convertible})
    return {reason: (each["millionths"], each["minor"]) for reason, each in sums.items()}


def journey(*channels: str, days: Sequence[float] = (), **other: Any) -> Conversion:
    """A conversion with a touch a day, the last one a day before it, or so many `days` before it."""
    ages = days or range(len(channels), 0, -1)
    return Conversion([Touched(round(age * DAY), channel) for age, channel in zip(ages, channels, strict=True)], **other)


MILLION = (1_000_000, 10_000)

MILESTONES = journey("Email", "Paid Search", "Direct", "Email", "Referral", "Paid Search", lead_age=3 * DAY + 1, opportunity_age=DAY)
"""First Email, lead Direct, opportunity and last Paid Search; the rest Paid Search, Email, Referral."""
OF_MILESTONES = {
    "u_shaped": {"Email": (450_000, 4_500), "Paid Search": (100_000, 1_000), "Direct": (400_000, 4_000), "Referral": (50_000, 500)},
    "w_shaped": {"Email": (333_333, 3_333), "Paid Search": (333_334, 3_334), "Direct": (300_000, 3_000), "Referral": (33_333, 333)},
    "full_path": {"Email": (258_333, 2_583), "Paid Search": (483_334, 4_834), "Direct": (225_000, 2_250), "Referral": (33_333, 333)},
    "j_shaped": {"Email": (250_000, 2_500), "Paid Search": (650_000, 6_500), "Direct": (50_000, 500), "Referral": (50_000, 500)},
    "inverse_j_shaped": {"Email": (650_000, 6_500), "Paid Search": (250_000, 2_500), "Direct": (50_000, 500), "Referral": (50_000, 500)},
}

EDGES: list[tuple[str, Conversion, dict[str, tuple[int, int]]]] = [
    *[(model, journey("Email"), {"Email": MILLION}) for model in MODELS],
    *[(model, journey("Direct"), {"Direct": MILLION}) for model in MODELS],
    ("first_touch", journey("Direct", "Email"), {"Direct": MILLION}),
    ("last_touch", journey("Email", "Direct"), {"Direct": MILLION}),
    ("last_non_direct", journey("Referral", "Email", "Direct"), {"Email": MILLION}),
    ("linear", journey("Referral", "Email"), {"Email": (500_000, 5_000), "Referral": (500_000, 5_000)}),
    # A third does not divide: the unit that is left goes to the earliest.
    (
        "linear",
        journey("Referral", "Email", "Direct"),
        {"Referral": (333_334, 3_334), "Email": (333_333, 3_333), "Direct": (333_333, 3_333)},
    ),
    ("position_based", journey("Referral", "Email"), {"Email": (500_000, 5_000), "Referral": (500_000, 5_000)}),
    (
        "position_based",
        journey("Referral", "Email", "Direct"),
        {"Referral": (400_000, 4_000), "Email": (200_000, 2_000), "Direct": (400_000, 4_000)},
    ),
    (
        "position_based",
        journey("Referral", "Email", "Email", "Direct"),
        {"Referral": (400_000, 4_000), "Email": (200_000, 2_000), "Direct": (400_000, 4_000)},
    ),
    # A half-life between them: one to two. The claims to the last unit decide, not the order.
    ("time_decay", journey("Email", "Referral", days=(8, 1)), {"Referral": (666_667, 6_667), "Email": (333_333, 3_333)}),
    ("time_decay", journey("Email", "Referral", days=(3, 3)), {"Referral": (500_000, 5_000), "Email": (500_000, 5_000)}),
    *[(model, MILESTONES, expected) for model, expected in OF_MILESTONES.items()],
    # No lead: what is left keeps its proportions.
    (
        "u_shaped",
        journey("Email", "Direct", "Referral"),
        {"Email": (666_667, 6_667), "Direct": (166_667, 1_667), "Referral": (166_666, 1_666)},
    ),
    ("w_shaped", journey("Email", "Direct"), {"Email": (750_000, 7_500), "Direct": (250_000, 2_500)}),
    # A lead before any touch in reach is a missing one; one at the instant of a touch is held by it.
    ("u_shaped", journey("Email", "Direct", lead_age=2 * DAY + 1), {"Email": (666_667, 6_667), "Direct": (333_333, 3_333)}),
    ("u_shaped", journey("Email", "Direct", lead_age=2 * DAY), {"Email": (800_000, 8_000), "Direct": (200_000, 2_000)}),
    # Every touch holds a milestone: nothing is left for the rest.
    ("full_path", journey("Email", "Direct", lead_age=DAY, opportunity_age=0), {"Email": (250_000, 2_500), "Direct": (750_000, 7_500)}),
    # An opportunity that was opened before its lead asked for anything.
    (
        "w_shaped",
        journey("Email", "Direct", "Referral", lead_age=0, opportunity_age=2 * DAY),
        {"Email": (333_334, 3_334), "Direct": (333_333, 3_333), "Referral": (333_333, 3_333)},
    ),
    ("j_shaped", journey("Email", "Direct"), {"Email": (250_000, 2_500), "Direct": (750_000, 7_500)}),
    # Fifty half-lives: nothing is left of it, and nothing underflows.
    ("time_decay", journey("Email", "Referral", days=(351, 1)), {"Referral": MILLION}),
]


@pytest.mark.parametrize(("model", "conversion", "expected"), EDGES)
async def test_edges_of_the_models(database: Database, model: str, conversion: Conversion, expected: dict[str, tuple[int, int]]) -> None:
    await store(database, [conversion])
    assert await credit(database, question(), model) == expected


async def test_the_lookback_is_inclusive_to_the_microsecond(database: Database) -> None:
    just_inside = Conversion([Touched(30 * DAY, "Email"), Touched(DAY, "Referral")])
    just_outside = Conversion([Touched(30 * DAY + 1, "Email"), Touched(DAY, "Referral")])
    await store(database, [just_inside, just_outside])
    assert await credit(database, question(lookback_seconds=30 * 86_400), "first_touch") == {"Email": MILLION, "Referral": MILLION}


async def test_excluding_direct_moves_first_and_last(database: Database) -> None:
    await store(database, [journey("Direct", "Email", "Referral", "Direct", "Paid Search", "Direct")])
    asked = question(exclude_direct=True)
    assert await credit(database, asked, "first_touch") == {"Email": MILLION}
    assert await credit(database, asked, "last_touch") == {"Paid Search": MILLION}
    assert (await credit(database, asked, "position_based"))["Referral"] == (200_000, 2_000)


async def test_every_reason_of_the_uncredited_ledger(database: Database) -> None:
    early = NOON - 500 * DAY
    await store(
        database,
        [
            journey("Email"),
            Conversion(has_people=False, entries=[Entry(after=1, counts=1)]),
            Conversion(occurred_at=early, entries=[Entry(after=20, counts=1)]),
            Conversion(entries=[Entry(after=300, counts=1)]),
            Conversion(older_touch_at=NOON - 900 * DAY, entries=[Entry(after=4_000, counts=1)]),
            journey("Email", days=(366,), entries=[Entry(after=50_000, counts=1)]),
            journey("Direct", entries=[Entry(after=600_000, counts=1), Entry(before=600_000, after=100_000)]),
        ],
        tracking_began_at=early + DAY,
    )
    assert await ledger(database, question(exclude_direct=True)) == {
        None: MILLION,
        "no_contact": (1_000_000, 1),
        "before_tracking_began": (1_000_000, 20),
        "no_touch": (1_000_000, 300),
        "outside_lookback": (2_000_000, 54_000),
        "only_direct": (1_000_000, 100_000),
    }


async def test_where_nothing_was_ever_tracked_tracking_has_not_begun(database: Database) -> None:
    await store(database, [Conversion()], tracking_began_at=None)
    assert await ledger(database, question()) == {"before_tracking_began": MILLION}


async def test_an_adjustment_moves_money_and_no_count(database: Database) -> None:
    refunded = journey(
        "Email", "Referral", "Direct", entries=[Entry(after=100, counts=1), Entry(before=100, after=-50, counted_at=NOON + DAY)]
    )
    await store(database, [refunded])
    later = question(starts_at=NOON + 1)
    # 100 is 34, 33, 33; −50 is −17, −17, −16.
    assert await credit(database, later, "linear") == {"Email": (0, -51), "Referral": (0, -50), "Direct": (0, -49)}
    assert await ledger(database, later) == {None: (0, -150)}


async def test_foreign_money_is_not_added_but_its_conversion_counts(database: Database) -> None:
    await store(database, [journey("Email", currency="EUR"), journey("Referral")])
    assert await credit(database, question(), "linear") == {"Referral": MILLION, "Email": (1_000_000, 0)}
    async with database.read() as connection:
        rows = (await connection.execute(ledger_by_reason(question()), question().parameters)).all()
    assert sorted((row.currency, bool(row.is_convertible), row.minor) for row in rows) == [("EUR", False, 10_000), ("USD", True, 10_000)]


async def test_an_origin_without_label_is_shown_as_unassigned(database: Database) -> None:
    await store(database, [journey("Email", "not labelled yet")])
    assert await credit(database, question(), "last_touch", ("channel", "source")) == {("Unassigned", "(not set)"): MILLION}
    assert await credit(database, question(exclude_direct=True), "last_non_direct") == {"Unassigned": MILLION}


async def test_largest_amounts_and_longest_journeys_fit_into_64_bits(database: Database) -> None:
    long = [Touched((1_000 - at) * SECOND, CHANNELS[at % 3]) for at in range(1_000)]
    conversion = Conversion(long, [Entry(after=10**16, counts=1), Entry(before=10**16, after=-(10**16))])
    await store(database, [conversion])
    for model in MODELS:
        assert await credit(database, question(), model) == credit_by_channel([conversion], question(), model)


# ---------------------------------------------------------------- properties

amounts = st.one_of(st.integers(-1_000, 1_000), st.integers(-(10**16), 10**16))
moments = st.integers(-3, 3).map(lambda days: NOON + days * DAY)
touches = st.lists(
    st.builds(
        Touched,
        st.one_of(st.integers(0, 5).map(lambda days: days * DAY), st.integers(0, 500 * DAY)),
        st.sampled_from([*CHANNELS, "Direct"]),
    ),
    max_size=9,
).map(lambda found: sorted(found, key=lambda touch: -touch.age))


@st.composite
def ledgers(draw: st.DrawFn) -> list[Entry]:
    """A conversion and up to three adjustments: each net before is the net after the entry ahead."""
    nets = [0, *draw(st.lists(amounts, min_size=1, max_size=4))]
    return [Entry(before, after, int(at == 0), draw(moments)) for at, (before, after) in enumerate(pairwise(nets))]


ages = st.one_of(st.none(), st.integers(0, 5).map(lambda days: days * DAY), st.integers(0, 9 * DAY))
currencies = st.sampled_from([None, "USD", "USD", "EUR"])
conversions = st.builds(Conversion, touches, ledgers(), currencies, st.booleans(), moments, ages, ages, st.none())
questions = st.builds(
    question,
    exclude_direct=st.booleans(),
    touches_until=st.sampled_from(["close", "close", "opportunity", "lead"]),
    lookback_seconds=st.sampled_from([86_400, 3 * 86_400, 90 * 86_400, 730 * 86_400]),
    half_life_seconds=st.sampled_from([60, 86_400, 7 * 86_400]),
    starts_at=st.one_of(st.none(), moments),
    ends_at=st.one_of(st.none(), moments),
)
groupings = st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=3, unique=True)


@given(st.lists(conversions, max_size=6), questions, groupings, moments)
async def test_rows_and_uncredited_add_up_and_sql_equals_python(
    database: Database, stored: list[Conversion], asked: Question, by: list[str], began_at: int
) -> None:
    await store(database, stored, began_at)
    closed = await ledger(database, asked)
    for model in MODELS:
        assert await credit(database, asked, model) == credit_by_channel(stored, asked, model)
        grouped = (await credit(database, asked, model, by)).values()
        assert (sum(row[0] for row in grouped), sum(row[1] for row in grouped)) == closed.get(None, (0, 0))
    counted = [
        (conversion, entry)
        for conversion in stored
        for entry in conversion.entries
        if (asked.starts_at or 0) <= entry.counted_at < (asked.ends_at or 10**18)
    ]
    assert sum(each[0] for each in closed.values()) == sum(entry.counts for _, entry in counted) * 1_000_000
    ours = [entry for conversion, entry in counted if conversion.currency in (None, "USD")]
    assert sum(each[1] for each in closed.values()) == sum(entry.after - entry.before for entry in ours)
