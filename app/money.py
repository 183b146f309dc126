"""Money: integer minor units inside, decimal strings outside, ISO 4217 in between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from iso4217 import Currency

LARGEST_MINOR = 10**16
"""Largest magnitude of one amount, in minor units: hundreds of such amounts still add up within 64 bits."""
AMOUNT_PLACES = 4
"""Decimal places of an amount whose currency may be said later: as many as the finest currency has."""
LARGEST_AMOUNT = 10**18
"""Largest magnitude of such an amount, in ten-thousandths of the unit: 64 bits hold it."""

# Past currencies, which the package no longer knows: old deals are still in them. Exponents as ISO 4217 gave them.
_PAST = {
    2: "ANG ATS AZM BGN CUC CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL SDD SIT SKK SLL STD TMM VEB VEF ZMK ZWD ZWL",
    0: "BEF BYR ESP GRD ITL LUF MGF PTE TRL",
}
EXPONENTS: dict[str, int] = {code: digits for digits, codes in _PAST.items() for code in codes.split()} | {
    currency.value: currency.exponent for currency in Currency if currency.exponent is not None
}
"""Decimal places of each currency's minor unit, by ISO code. Metals, funds' units and test codes are not money here."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{1,24})?\Z")


def currency_code(text: str) -> str:
    """The ISO code that the text names, in capitals. ValueError if it is not a currency."""
    code = text.strip().upper()
    if code not in EXPONENTS:
        raise ValueError(f"unknown currency {text[:20]!r}: an ISO 4217 code such as USD, EUR or JPY is needed")
    return code


def parse_minor(amount: str | float | Decimal, currency: str) -> int:
    """An amount in whole units ('1200.50', 1200.5) as minor units of the currency (120050).

    What is finer than the minor unit is rounded, halves away from zero: CRMs send computed amounts (`33.333333`).
    ValueError if it is not a plain decimal number in ASCII digits, not finite, or beyond `LARGEST_MINOR`.
    """
    minor = _rounded(amount, EXPONENTS[currency_code(currency)])
    if abs(minor) > LARGEST_MINOR:
        raise ValueError("amount is not finite or too large")
    return minor


def parse_amount(amount: str | float | Decimal, currency: str | None) -> int:
    """An amount in whole units as ten-thousandths of the unit: 1200.5 is 12005000, whatever the currency.

    In the log an amount may stand apart from its currency, which another message of the same deal says. Where it is
    known (`currency`), the amount is rounded to its minor unit first, else to the ten-thousandth. ValueError as in
    `parse_minor`.
    """
    scaled = _rounded(amount, AMOUNT_PLACES) if currency is None else parse_minor(amount, currency) * per_minor(currency)
    if abs(scaled) > LARGEST_AMOUNT:
        raise ValueError("amount is not finite or too large")
    return scaled


def per_minor(currency: str) -> int:
    """How many ten-thousandths of the unit one minor unit of the currency is: 100 for USD, 10000 for JPY."""
    return int(10 ** (AMOUNT_PLACES - EXPONENTS[currency]))


def _rounded(amount: str | float | Decimal, places: int) -> int:
    """The amount in units of its last place, halves away from zero."""
    number = _decimal(amount)
    if not number.is_finite():
        raise ValueError("amount is not finite or too large")
    return int(number.scaleb(places).to_integral_value(ROUND_HALF_UP))


def _decimal(amount: str | float | Decimal) -> Decimal:
    if isinstance(amount, str | bool):
        if not _NUMBER.match(str(amount)):
            raise ValueError("amount is not a plain decimal number such as 1200.50")
        return Decimal(amount)
    if isinstance(amount, int) and abs(amount) > LARGEST_MINOR:
        raise ValueError("amount is not finite or too large")
    # A float is taken as its shortest text: 0.1 is one tenth, not what binary makes of it.
    return Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)


def as_decimal_text(minor: int, currency: str) -> str:
    """Minor units as a decimal string with all of the currency's places: 120050 USD is '1200.50', 1200 JPY '1200'."""
    places = EXPONENTS[currency]
    digits = str(abs(minor)).rjust(places + 1, "0")
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def split(whole: int, weights: Sequence[float | Fraction]) -> list[int]:
    """`whole` in integer parts that add up to it, proportional to weights of which none is negative and not all are zero.

    The largest remainder, on the magnitude: each part is rounded towards zero, and the units that are left go to those
    who lost most by it, ties to the earlier. Weights count as the exact numbers that they are. ValueError if all are zero
    and there is something to split.
    """
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(weight) for weight in weights]
    total = sum(exact)
    if not total:
        raise ValueError("nothing has a weight")
    wanted = [abs(whole) * weight / total for weight in exact]
    parts = [int(share) for share in wanted]
    by_claim = sorted(range(len(parts)), key=lambda at: (parts[at] - wanted[at], at))
    for at in by_claim[: abs(whole) - sum(parts)]:
        parts[at] += 1
    return [part if whole > 0 else -part for part in parts]
