"""A spreadsheet of deals, one a row, as facts of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Literal

from pydantic import ValidationError

from app import money
from app.collect.deal_facts import Deal
from app.collect.schemas import in_words
from app.crm.messages import Said, fact_of, snapshot
from app.imports.cells import Writing, addresses
from app.imports.sheets import Sheet, read_sheet
from app.log import Fact
from app.sites.site import Site
from app.tables import from_micros

IMPORTED = "~import"
"""`crm_facts.connection_id` of what a sheet said; no connection can have this ID."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("deal id", "record id", "opportunity id", "id", "deal nr", "nummer", "deal number"),
    "name": ("deal name", "opportunity name", "name", "deal title", "title", "deal", "titel", "bezeichnung", "opportunity"),
    "amount": ("amount", "deal value", "value", "revenue", "deal amount", "betrag", "wert", "umsatz", "summe"),
    "currency": ("currency", "deal currency", "amount currency", "currency iso code", "währung"),
    "outcome": ("outcome", "deal status", "status", "ergebnis", "result", "is won", "is closed won"),
    "stage": ("deal stage", "stage", "stage name", "phase"),
    "pipeline": ("pipeline", "deal pipeline"),
    "opened_at": (
        "create date", "created date", "created at", "created", "opened", "opened at", "add time", "deal created", "erstellt",
        "erstellt am",
    ),
    "closed_on": (
        "close date", "closed date", "closed on", "closed", "won time", "deal closed on", "abschlussdatum", "geschlossen am",
        "abgeschlossen am",
    ),
    "contacts": ("email", "e mail", "emails", "contact email", "contact person email", "contacts", "associated contacts", "contact"),
    "company": ("company", "company name", "account name", "account", "organization", "organisation", "firma", "unternehmen", "kunde"),
    "company_id": ("company id", "account id", "organization id"),
    "company_domain": ("company domain", "domain", "website", "company domain name"),
    "owner": ("deal owner", "opportunity owner", "owner", "besitzer", "verantwortlich"),
    "type": ("deal type", "type", "typ"),
    "lost_reason": ("closed lost reason", "lost reason", "loss reason", "verlustgrund"),
    "url": ("url", "link", "record url"),
}  # fmt: skip
"""What is taken of a deal, and the headers by which its column is guessed."""

Outcome = Literal["won", "lost", "open"]
_WORDS: dict[str, Outcome] = {
    **dict.fromkeys(("won", "closed won", "closedwon", "gewonnen", "true", "yes", "ja", "1"), "won"),
    **dict.fromkeys(("lost", "closed lost", "closedlost", "verloren"), "lost"),
    **dict.fromkeys(("open", "offen", "false", "no", "nein", "0"), "open"),
}
_TEXTS = ("name", "stage", "pipeline", "owner", "lost_reason", "url")
_TYPES = ("new", "expansion", "renewal")


@dataclass(frozen=True)
class Meaning:
    """What a sheet's owner says of it."""

    writing: Writing
    currency: str | None = None
    won: frozenset[str] = field(default_factory=frozenset)
    """Words of `outcome` or `stage` that mean won, in lower case, beside the known ones."""
    lost: frozenset[str] = field(default_factory=frozenset)

    def outcome(self, cells: dict[str, str]) -> Outcome:
        """By the outcome, else by the stage; a sheet with neither lists what is won, where it has a close date.

        ValueError for an outcome that is no known word. A stage that is none leaves the deal open.
        """
        known = {**_WORDS, **dict.fromkeys(self.won, "won"), **dict.fromkeys(self.lost, "lost")}
        if text := cells.get("outcome"):
            if text.lower() not in known:
                raise ValueError(f"outcome: {text[:40]!r} is neither won, lost nor open; say --won or --lost with it, or --map outcome=")
            return known[text.lower()]  # type: ignore[return-value]
        if text := cells.get("stage"):
            return known.get(text.lower(), "open")  # type: ignore[return-value]
        return "won" if "closed_on" in cells else "open"


@dataclass(frozen=True)
class SheetDeal:
    """A row of the sheet."""

    data: dict[str, Any]
    """As `deal.updated` takes it."""
    outcome: Outcome
    occurred_at: int
    """When it came to stand so, in microseconds: at the end of its closing day, else when it was opened, else now."""
    is_dated: bool = True

    @property
    def said(self) -> Said:
        """The message that it is: the same row, the same ID."""
        type_ = "deal.updated" if self.outcome == "open" else f"deal.{self.outcome}"
        if self.is_dated:
            return snapshot(type_, self.data["id"], self.data, self.occurred_at)
        return replace(snapshot(type_, self.data["id"], self.data, 0), occurred_at=self.occurred_at)


def read_deals(file: BinaryIO, said: list[str], meaning: Meaning, now: int) -> Sheet[SheetDeal]:
    """The deals of a file; `now` in microseconds. UnreadableFile if no column holds their IDs."""
    return read_sheet(file, said, COLUMNS, ("id",), _reader(meaning, now))


def facts_of_deals(site: Site, space: str, deals: Sequence[SheetDeal], received_at: int) -> list[Fact]:
    """The facts that they are."""
    return [fact_of(site, IMPORTED, space, deal.said, received_at=received_at) for deal in deals]


def _reader(meaning: Meaning, now: int) -> Callable[[dict[str, str]], SheetDeal]:
    seen: set[str] = set()

    def become(cells: dict[str, str]) -> SheetDeal:
        deal = _deal(cells, meaning, now)
        if deal.data["id"] in seen:
            raise ValueError(f"the deal {deal.data['id'][:60]!r} stands on an earlier line already")
        seen.add(deal.data["id"])
        return deal

    return become


def _deal(cells: dict[str, str], meaning: Meaning, now: int) -> SheetDeal:
    if "id" not in cells:
        raise ValueError("it has no ID")
    outcome, writing = meaning.outcome(cells), meaning.writing
    data: dict[str, Any] = {"id": cells["id"]} | {name: cells[name] for name in _TEXTS if name in cells}
    data |= _money(cells, meaning) | _company(cells)
    if "contacts" in cells:
        data["contacts"] = _at("contacts", addresses, cells["contacts"])
    if (type_ := cells.get("type", "").lower()) in _TYPES:
        data["type"] = type_
    opened_at = _at("opened_at", writing.moment, cells["opened_at"]) if "opened_at" in cells else None
    closed_at = None
    if "closed_on" in cells:
        closed_at = _at("closed_on", lambda text: writing.moment(text, is_end=True), cells["closed_on"])
        data["closed_on"] = writing.day(cells["closed_on"])
    if opened_at is not None:
        data["opened_at"] = _written(opened_at)
    if outcome != "open" and closed_at is None and opened_at is None:
        raise ValueError(f"it is {outcome}, and neither a close date nor a create date says when")
    known_at = opened_at if outcome == "open" or closed_at is None else closed_at
    try:
        Deal.model_validate(data)
    except ValidationError as error:
        raise ValueError(in_words(error)) from None
    return SheetDeal(data, outcome, min(now if known_at is None else known_at, now), is_dated=known_at is not None)


def _money(cells: dict[str, str], meaning: Meaning) -> dict[str, str]:
    found = {}
    currency = cells.get("currency") or meaning.currency
    if currency:
        found["currency"] = money.currency_code(currency)
    if "amount" in cells:
        found["amount"] = _at("amount", meaning.writing.amount, cells["amount"])
        money.parse_amount(found["amount"], found.get("currency"))
    return found


def _company(cells: dict[str, str]) -> dict[str, Any]:
    parts = {"name": cells.get("company"), "id": cells.get("company_id"), "domain": cells.get("company_domain")}
    company = {name: text for name, text in parts.items() if text}
    return {"company": company} if company else {}


def _at(field: str, read: Callable[[str], Any], text: str) -> Any:
    """What a cell says. ValueError, with the field in front, if it cannot be read."""
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _written(micros: int) -> str:
    return from_micros(micros).isoformat()
