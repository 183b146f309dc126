"""How figures are written: counts as decimal numbers, money as text beside its currency, tables as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.money import as_decimal_text

_MILLION = 1_000_000
# Spreadsheets take the full-width signs for the others.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")


def as_number(millionths: int) -> int | float:
    """Millionths as a JSON number of at most six places; exact up to a thousand million."""
    return millionths // _MILLION if millionths % _MILLION == 0 else millionths / _MILLION


def as_text(millionths: int) -> str:
    """Millionths as a decimal text of six places at most, never with an exponent."""
    text = f"{Decimal(millionths).scaleb(-6):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_rfc3339(moment: datetime) -> str:
    """A UTC time, to the microsecond where it has any: 2026-03-01T12:00:00Z."""
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Figures:
    """What something counts: millionths of conversions, and minor units of money."""

    millionths: int = 0
    minor: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(self.millionths + other.millionths, self.minor + other.minor)

    def __sub__(self, other: Figures) -> Figures:
        return Figures(self.millionths - other.millionths, self.minor - other.minor)

    def __bool__(self) -> bool:
        return bool(self.millionths or self.minor)

    def as_dict(self, money: str | None, currency: str) -> dict[str, object]:
        """`conversions`, and the money under its name (`revenue`, `pipeline`) where the kind has money."""
        counted: dict[str, object] = {"conversions": as_number(self.millionths)}
        return counted | {money: as_decimal_text(self.minor, currency)} if money else counted


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180 text. Texts that a spreadsheet would run as formulas get an apostrophe in front.

    Numbers must come as int, float or Decimal: they are written as they are, so that negative ones stay numbers. What is true
    or false is written as in JSON.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and cell.lstrip(" \u00a0").startswith(_STARTS_A_FORMULA):
        return "'" + cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return f"{cell:f}" if isinstance(cell, Decimal) else cell
