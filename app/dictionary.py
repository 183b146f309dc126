"""What is generated under `docs/`: the data dictionary from `app.tables`, and every setting from its class.

`python -m app.dictionary` writes both anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_json
from sqlalchemy import Column, Index, Table
from sqlalchemy.dialects import postgresql

from app import tables
from app.settings import Settings
from app.sites.settings import ChannelRule, Goal, SiteSettings

_DOCS = Path(__file__).resolve().parents[1] / "docs"

_DICTIONARY_HEAD = """\
# Data dictionary

Written by `make docs` from `app/tables.py`; a test compares the two. Tables stand in the order of the flow.
Times are UTC, stored as integer microseconds since 1970; money is in minor units of its currency.
Types are PostgreSQL's. A key column is marked with its place in the primary key.
"""


_SETTINGS_HEAD = """\
# Settings

Written by `make docs` from `app/settings.py` and `app/sites/settings.py`; a test compares them.

## Of the service

Variables of the environment, or lines of a file `.env` in the working directory.
"""

_SITE_HEAD = """\
## Of a site

Kept in the database, each change as a new version: `closedloop sites`, or `PATCH /v1/sites/{site}` with a JSON merge patch.
Defaults are shown as JSON.
"""


def data_dictionary() -> str:
    """The whole document, in Markdown."""
    contents = "\n".join(f"- [{table.name}](#{table.name})" for table in tables.metadata.tables.values())
    return "\n".join([_DICTIONARY_HEAD, contents, "", *(_section(table) for table in tables.metadata.tables.values())])


def settings_document() -> str:
    """Every setting with its default and meaning, in Markdown."""
    parts = [
        _SETTINGS_HEAD,
        _settings_table(Settings, lambda name: f"CLOSEDLOOP_{name.upper()}"),
        _SITE_HEAD,
        _settings_table(SiteSettings),
    ]
    nested = (("goals", Goal), ("channel_rules", ChannelRule))
    parts += [f"### Of `{name}`\n\n{_settings_table(model)}" for name, model in nested]
    return "\n".join(parts)


def write() -> None:
    """Writes the documents into the clone that this file stands in."""
    (_DOCS / "data-dictionary.md").write_text(data_dictionary(), encoding="utf-8")
    (_DOCS / "settings.md").write_text(settings_document(), encoding="utf-8")


def _settings_table(model: type[BaseModel], spelled: Callable[[str], str] = str) -> str:
    rows = "".join(
        f"| `{spelled(name)}` | {_default(field)} | {(field.description or '').replace('|', '&#124;')} |\n"
        for name, field in model.model_fields.items()
    )
    return f"| name | default | meaning |\n|---|---|---|\n{rows}"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    if field.default is None:
        return ""
    return f"`{field.default if isinstance(field.default, str) else to_json(field.default).decode()}`"


def _section(table: Table) -> str:
    rows = "\n".join(_row(column, _key_place(column, table)) for column in table.columns)
    indexes = "".join(f"- `{index.name}`: {_columns(index)}\n" for index in sorted(table.indexes, key=lambda index: str(index.name)))
    heading = f"## {table.name}\n\n{table.comment}\n\n| column | type | key | meaning |\n|---|---|---|---|\n{rows}\n"
    return heading + (f"\nIndexes:\n\n{indexes}" if indexes else "")


def _row(column: Column[object], key_place: str) -> str:
    kind = column.type.compile(dialect=postgresql.dialect()).removesuffix(' COLLATE "C"').lower()  # type: ignore[no-untyped-call]
    nullable = ", or null" if column.nullable else ""
    meaning = (column.comment or "").replace("|", "\\|")
    return f"| `{column.name}` | {kind}{nullable} | {key_place} | {meaning} |"


def _key_place(column: Column[object], table: Table) -> str:
    names = [key.name for key in table.primary_key.columns]
    return str(names.index(column.name) + 1) if column.name in names else ""


def _columns(index: Index) -> str:
    unique = "unique, " if index.unique else ""
    return unique + ", ".join(f"`{column.name}`" for column in index.columns)


if __name__ == "__main__":
    write()
