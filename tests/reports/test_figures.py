"""How figures are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.figures import Figures, as_csv, as_number, as_rfc3339, as_text


@pytest.mark.parametrize(
    ("millionths", "number", "text"),
    [
        (0, 0, "0"),
        (1_000_000, 1, "1"),
        (333_333, 0.333333, "0.333333"),
        (-500_000, -0.5, "-0.5"),
        (1, 0.000001, "0.000001"),
        (10_000_000, 10, "10"),
    ],
)
def test_millionths_are_decimal_numbers(millionths: int, number: float, text: str) -> None:
    assert (as_number(millionths), as_text(millionths)) == (number, text)


@given(st.integers(-(10**15), 10**15))
def test_a_json_number_holds_every_millionth(millionths: int) -> None:
    assert (
        Decimal(repr(json.loads(json.dumps(as_number(millionths))))) * 1_000_000 == millionths == Decimal(as_text(millionths)) * 1_000_000
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "|calc", "＝1"])
def test_a_text_that_could_run_gets_an_apostrophe(text: str) -> None:
    assert as_csv(["a"], [[text]]).replace('"', "").startswith(f"a\r\n'{text}")


def test_other_cells_stay_as_they_are() -> None:
    assert as_csv(["a", "b", "c"], [["x,y", Decimal("-5.00"), None]]) == 'a,b,c\r\n"x,y",-5.00,\r\n'
    assert as_csv(["a", "b"], [[True, False]]) == "a,b\r\ntrue,false\r\n"


def test_figures_add_up_and_show_money_only_where_there_is_any() -> None:
    both = Figures(500_000, 150) + Figures(500_000, -50)
    assert both.as_dict("revenue", "USD") == {"conversions": 1, "revenue": "1.00"}
    assert both.as_dict(None, "USD") == {"conversions": 1}


def test_times_end_in_z() -> None:
    assert as_rfc3339(datetime(2026, 3, 1, 12, tzinfo=UTC)) == "2026-03-01T12:00:00Z"
