"""A table of journeys becomes events."""

from __future__ import annotations

import io
from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from app.imports.paths import Tally, journeys
from app.imports.records import Record, UnreadableFile

TABLE = """path,total_conversions,total_conversion_value,total_null
Social > Search > Social,2,10.005,1
Email,0,0,2
"""


def read(table: str, tally: Tally | None = None, currency: str = "USD") -> list[Record]:
    return list(journeys(io.BytesIO(table.encode()), ending=date(2026, 1, 1), currency=currency, tally=tally or Tally()))


def test_each_journey_is_a_visitor_and_each_touch_a_day() -> None:
    events = [record.event for record in read(TABLE) if record.event]
    touches = [event for event in events if event["type"] == "touch"]
    by_visitor = Counter(touch["visitor_id"] for touch in touches)
    assert sorted(by_visitor.values()) == [1, 1, 3, 3, 3]
    first = touches[0]["visitor_id"]
    assert [(touch["channel"], touch["occurred_at"]) for touch in touches if touch["visitor_id"] == first] == [
        ("Social", "2025-12-29T12:00:00+00:00"),
        ("Search", "2025-12-30T12:00:00+00:00"),
        ("Social", "2025-12-31T12:00:00+00:00"),
    ]


def test_a_journey_that_converted_ends_in_a_deal_of_its_visitor() -> None:
    deals = [record.event for record in read(TABLE) if record.event and record.event["type"] == "deal_closed"]
    assert [(deal["occurred_at"], deal["deal"]["amount"], deal["deal"]["outcome"]) for deal in deals] == [
        ("2026-01-01T12:00:00+00:00", "5.00", "won"),
        ("2026-01-01T12:00:00+00:00", "5.00", "won"),
    ]
    assert all(deal["deal"]["id"] == deal["deal"]["visitor_id"] for deal in deals)


def test_a_value_is_rounded_once_a_row_and_split_to_the_last_cent() -> None:
    tally = Tally()
    events = [
        record.event for record in read("path,total_conversions,total_conversion_value\nA,3,10.006\nB,1,0.004\n", tally) if record.event
    ]
    assert [event["deal"]["amount"] for event in events if event["type"] == "deal_closed"] == ["3.34", "3.34", "3.33", "0.00"]
    assert (tally.value, tally.value_minor, tally.lost_to_rounding("USD")) == (Decimal("10.010"), 1001, Decimal(0))
    assert (tally.rows, tally.journeys, tally.conversions, tally.touches) == (2, 4, 4, 4)


def test_a_currency_without_cents() -> None:
    events = [record.event for record in read("path,total_conversions,total_conversion_value\nA,2,5\n", currency="JPY") if record.event]
    assert [event["deal"]["amount"] for event in events if event["type"] == "deal_closed"] == ["3", "2"]


def test_the_same_table_makes_the_same_events_and_no_two_of_one_name() -> None:
    table = TABLE + "Email,1,3,0\n"
    names = [(record.event["type"], record.event.get("visitor_id"), record.event["id"]) for record in read(table) if record.event]
    assert names == [(record.event["type"], record.event.get("visitor_id"), record.event["id"]) for record in read(table) if record.event]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("A > > B,1,1,0", "empty channel"),
        (",1,1,0", "empty channel"),
        ("A,-1,1,0", "not a count"),
        ("A,1.5,1,0", "not a count"),
        ("A,٣,1,0", "not a count"),
        ("A,1,many,0", "not a number"),
        ("A,1,NaN,0", "not a number"),
        ("A,0,5,1", "value without a conversion"),
        (" > ".join("A" * 731) + ",1,1,0", "more than 730"),
        ("A,1", "2 cells"),
    ],
)
def test_a_bad_row_costs_only_itself(row: str, problem: str) -> None:
    bad, *good = read(f"path,total_conversions,total_conversion_value,total_null\n{row}\nB,2.0,1,\n")
    assert (bad.line, bad.event) == (2, None)
    assert problem in bad.problem
    assert [record.line for record in good] == [3, 3, 3, 3]


def test_another_table_is_refused_as_a_whole() -> None:
    with pytest.raises(UnreadableFile, match="total_conversions"):
        read("path,conversions\nA,1\n")
