"""Texts that may mention a person: a deal named after it, an address in a property, a body in quarantine.

E-mails and phone numbers are sought in every such text of the site; a name, which others may share, only in what is said
of the person's deals. Found in one transaction that only reads, and blanked by key in short ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import phonenumbers
from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    Update,
    and_,
    case,
    delete,
    false,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app import tables
from app.db import position_of
from app.privacy.kept import EMPTY_BODY
from app.privacy.scope import Scope

_SHORTEST_NAME = 4
"""Shorter names stand in too many words."""
_SHORTEST_NUMBER = 8
_SEPARATORS = " -()./"
_DEAL_TEXTS = ("name", "lost_reason", "url", "company_name")
"""Fields of a deal that people write freely. Its owner is a salesperson, and stays."""


@dataclass(frozen=True)
class Known:
    """What a person is called in clear."""

    addresses: tuple[str, ...]
    """E-mails, and phone numbers as E.164 writes them."""
    names: tuple[str, ...]
    ids: tuple[str, ...]
    """User IDs, IDs of CRM contacts, visitors of its own."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Phone numbers within their country, as digits."""
        found = (str(phonenumbers.parse(text).national_number) for text in self.addresses if text.startswith("+"))
        return tuple(digits for digits in found if len(digits) >= _SHORTEST_NUMBER)


async def known(connection: AsyncConnection, scope: Scope) -> Known:
    """How the person may be mentioned."""
    contact = tables.contacts
    rows = (await connection.execute(select(contact.c.kind, contact.c.value, contact.c.name).where(scope.has_key(contact)))).all()
    visitors = {each for each in await connection.scalars(scope.own_visitors()) if not each.startswith("~")}
    return Known(
        addresses=tuple(sorted({row.value for row in rows if row.kind in ("email", "phone")})),
        names=tuple(sorted({row.name.strip() for row in rows if row.name and len(row.name.strip()) >= _SHORTEST_NAME})),
        ids=tuple(sorted({row.value for row in rows if row.kind in ("user_id", "contact")} | visitors)),
    )


# ---------------------------------------------------------------- where


@dataclass(frozen=True)
class Searched:
    """A table with texts that may mention people."""

    table: Table
    columns: tuple[str, ...]
    of_deals: Callable[[Scope, Table], ColumnElement[bool]]
    """Whether a row is said of the person's deals: there its name is sought too."""
    instead: str | None = None
    """What is written over a text that mentions it."""
    is_deleted: bool = False
    """The row goes instead."""
    fields: tuple[str, ...] = ()
    """Only rows with these values of `field`; empty: all."""


def _is_of_deal(scope: Scope, table: Table) -> ColumnElement[bool]:
    return tuple_(table.c.space, table.c.deal_id).in_(scope.deals())


def _is_of_record(scope: Scope, table: Table) -> ColumnElement[bool]:
    deals = scope.deals().subquery("deals_of_person")
    # As `deal_record` names it.
    named = select(literal("deal:") + deals.c.space + literal("/") + deals.c.deal_id)
    return (table.c.record_id if "record_id" in table.c else table.c.holder_id).in_(named)


def _is_of_none(_scope: Scope, _table: Table) -> ColumnElement[bool]:
    return false()


SEARCHED: tuple[Searched, ...] = (
    Searched(tables.crm_facts, ("body",), _is_of_deal, EMPTY_BODY),
    Searched(tables.deal_fields, ("value",), _is_of_deal, fields=_DEAL_TEXTS),
    Searched(tables.record_fields, ("value",), _is_of_record),
    Searched(tables.person_fields, ("value",), _is_of_none),
    Searched(tables.deals, _DEAL_TEXTS, _is_of_deal),
    Searched(tables.history["deals"], _DEAL_TEXTS, _is_of_deal),
    Searched(tables.notices, ("body",), _is_of_deal, EMPTY_BODY),
    Searched(tables.properties, ("value",), _is_of_record, is_deleted=True),
    Searched(tables.history["properties"], ("value",), _is_of_record, is_deleted=True),
)
"""What the pipeline computes from (a null clears the value), and what it computed: changed alike, so that nothing is left to compute."""


def _mentions(column: ColumnElement[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Whether a text holds one of others, in whatever case (SQLite knows that of ASCII only, so as it was written too)."""
    found = [
        or_(position_of(column, literal(text)) > 0, position_of(func.lower(column), literal(text.lower())) > 0) for text in texts
    ]
    return or_(false(), *found)


def _mentions_person(searched: Searched, scope: Scope, found: Known, column: ColumnElement[Any]) -> ColumnElement[bool]:
    by_name = and_(searched.of_deals(scope, searched.table), _mentions(column, found.names)) if found.names else false()
    return or_(_mentions(column, found.addresses), by_name)


def _is_searched(searched: Searched, scope: Scope) -> ColumnElement[bool]:
    here = scope.here(searched.table)
    return and_(here, searched.table.c.field.in_(searched.fields)) if searched.fields else here


def rows_that_mention(searched: Searched, scope: Scope, found: Known) -> Select[Any]:
    """Keys of the rows of which a text mentions the person. Reads the whole table of the site."""
    table = searched.table
    mentions = or_(*(_mentions_person(searched, scope, found, table.c[name]) for name in searched.columns))
    return select(*table.primary_key.columns).where(_is_searched(searched, scope), mentions)


def blanked(searched: Searched, scope: Scope, found: Known, keys: Sequence[Sequence[Any]]) -> Delete | Update:
    """Takes the mentions out of the rows with these keys."""
    table = searched.table
    is_found = tuple_(*table.primary_key.columns).in_([tuple(key) for key in keys])
    if searched.is_deleted:
        return delete(table).where(is_found)
    instead = null() if searched.instead is None else literal(searched.instead)
    values = {
        name: case((_mentions_person(searched, scope, found, table.c[name]), instead), else_=table.c[name]) for name in searched.columns
    }
    return update(table).where(is_found).values(values)


# ---------------------------------------------------------------- what could not be understood


def quarantined_mentions(scope: Scope, found: Known) -> Select[Any]:
    """Rows of the quarantine that mention the person: an address, a phone number however it is written, or an ID in quotes."""
    row = tables.quarantine
    digits: ColumnElement[Any] = row.c.body
    for separator in _SEPARATORS:
        digits = func.replace(digits, separator, "")
    quoted = [json.dumps(text, ensure_ascii=False) for text in found.ids]
    mentions = or_(_mentions(row.c.body, [*found.addresses, *quoted]), _mentions(digits, found.numbers))
    return select(row).where(scope.here(row), mentions).order_by(row.c.quarantine_id)


def failed_keys_of(rows: Sequence[Any], names: set[str]) -> list[tuple[str, str, str]]:
    """Keys of the rows of `failed_keys` of which a part is one of the names."""
    return [(row.site_id, row.stage, row.dirty_key) for row in rows if names & set(json.loads(row.dirty_key))]


