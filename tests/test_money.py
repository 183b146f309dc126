from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import EXPONENTS, LARGEST_AMOUNT, LARGEST_MINOR, as_decimal_text, currency_code, parse_amount, parse_minor, split


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1200.50", "USD", 120050),
        ("1200", "USD", 120000),
        (1200.5, "USD", 120050),
        (0.1, "EUR", 10),
        (1.005, "EUR", 101),  # taken as written, not as the binary 1.00499…
        ("-19.995", "EUR", -2000),
        ("33.333333", "USD", 3333),
        ("1200", "JPY", 1200),
        ("0.5", "JPY", 1),
        ("1.2345", "KWD", 1235),
        (Decimal("7.10"), "DEM", 710),
        (1e3, "ITL", 1000),
        (7, "usd", 700),
        (LARGEST_MINOR, "JPY", LARGEST_MINOR),
    ],
)
def test_an_amount_becomes_minor_units(amount: str | float | Decimal, currency: str, minor: int) -> None:
    assert parse_minor(amount, currency) == minor


@pytest.mark.parametrize(
    "amount",
    ["", " 1", "1,200", "1e5", "١٢", "0x10", "NaN", "Infinity", "1.", "--1", "1" * 25, True,
     float("nan"), float("inf"), 1e300, 10**17, 10**100, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")],
)  # fmt: skip
def test_what_is_no_plain_finite_number_is_refused(amount: str | float | Decimal) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_minor(amount, "USD")


@pytest.mark.parametrize(
    ("amount", "currency", "ten_thousandths"),
    [
        ("12.5", None, 125_000),
        ("12.5", "JPY", 130_000),
        ("0.004", "USD", 0),
        ("0.004", None, 40),
        (10**14, None, LARGEST_AMOUNT),
        ("-1", "KWD", -10_000),
    ],
)
def test_an_amount_may_stand_apart_from_its_currency(amount: str | int, currency: str | None, ten_thousandths: int) -> None:
    assert parse_amount(amount, currency) == ten_thousandths


@pytest.mark.parametrize("currency", [None, "JPY"])
def test_an_amount_beyond_64_bits_is_refused(currency: str | None) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_amount(10**14 + 1, currency)


@pytest.mark.parametrize("code", ["", "US", "XXX", "XAU", "dollar", "ＵＳＤ"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="unknown currency"):
        currency_code(code)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (120050, "USD", "1200.50"),
        (5, "USD", "0.05"),
        (-5, "USD", "-0.05"),
        (0, "USD", "0.00"),
        (1200, "JPY", "1200"),
        (-7, "KWD", "-0.007"),
    ],
)
def test_minor_units_are_shown_with_all_places(minor: int, currency: str, text: str) -> None:
    assert as_decimal_text(minor, currency) == text
    assert parse_minor(text, currency) == minor


def test_currencies_of_the_past_are_known() -> None:
    assert EXPONENTS["BGN"] == EXPONENTS["HRK"] == 2
    assert EXPONENTS["ITL"] == 0


@given(st.integers(-(10**18), 10**18), st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=9).filter(any))
def test_parts_add_up_and_none_is_a_unit_off(whole: int, weights: list[float]) -> None:
    parts = split(whole, weights)
    assert sum(parts) == whole
    total = sum(map(Fraction, weights))
    assert all(abs(part - whole * Fraction(weight) / total) < 1 for part, weight in zip(parts, weights, strict=True))


def test_left_over_units_go_to_the_greatest_claims_then_to_the_earlier() -> None:
    assert split(-100, [1, 1, 1]) == [-34, -33, -33]
    assert split(10, [0.25, 0.5, 0.25]) == [3, 5, 2]
    assert split(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="weight"):
        split(1, [0, 0])
