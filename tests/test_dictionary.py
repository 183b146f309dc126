"""The data dictionary is what `app/tables.py` says, and says something of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import tables
from app.dictionary import data_dictionary

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "data-dictionary.md"


def test_the_document_is_what_the_tables_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == data_dictionary(), "run `make docs`"


@pytest.mark.parametrize("table", tables.metadata.tables.values(), ids=lambda table: table.name)
def test_everything_is_explained(table: tables.Table) -> None:
    assert table.comment
    assert [column.name for column in table.columns if not column.comment] == []


def test_a_table_is_shown_with_its_key_types_and_indexes() -> None:
    section = data_dictionary().partition("\n## link_keys\n")[2].partition("\n## ")[0]
    assert section.splitlines() == [
        "",
        "The keys of a distinct set of keys that a subject carried together.",
        "",
        "| column | type | key | meaning |",
        "|---|---|---|---|",
        "| `site_id` | text | 1 | The tenant; first column of every key. |",
        "| `link_id` | text | 2 | 128-bit hash of the sorted set of keys. |",
        "| `key_id` | text | 3 | `c_`, `e_`, `p_` or `u_` (CRM contact, e-mail, phone, user ID) and a keyed hash. |",
        "",
        "Indexes:",
        "",
        "- `ix_link_keys__key`: `site_id`, `key_id`, `link_id`",
    ]
