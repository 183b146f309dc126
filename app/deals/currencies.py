"""Amounts of the log, which stand apart from their currency, as minor units of it."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import ColumnElement, case, func

from app.money import EXPONENTS, per_minor

_USUAL = per_minor("USD")


def ten_thousandths_per_minor_unit(currency: ColumnElement[str]) -> ColumnElement[int]:
    """How many ten-thousandths of the unit one minor unit is: 100 where the currency has cents, 10000 where it has none."""
    codes: dict[int, list[str]] = defaultdict(list)
    for code in sorted(EXPONENTS):
        codes[per_minor(code)].append(code)
    return case(*((currency.in_(those), number) for number, those in codes.items() if number != _USUAL), else_=_USUAL)


def minor_units(amount: ColumnElement[int], divisor: ColumnElement[int]) -> ColumnElement[int]:
    """Ten-thousandths of the unit as minor units, halves away from zero; null stays null."""
    magnitude = (func.abs(amount) + divisor // 2) // divisor
    return case((amount < 0, -magnitude), else_=magnitude)
