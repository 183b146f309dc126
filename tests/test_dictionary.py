"""The generated documents are what the code says, and say something of everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from app import tables
from app.dictionary import data_dictionary, settings_document
from app.settings import Settings
from app.sites.settings import ChannelRule, Goal, SiteSettings

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize(("name", "generate"), [("data-dictionary.md", data_dictionary), ("settings.md", settings_document)])
def test_a_document_is_what_the_code_says(name: str, generate: Callable[[], str]) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generate(), "run `make docs`"


@pytest.mark.parametrize("model", [Settings, SiteSettings, Goal, ChannelRule], ids=lambda model: model.__name__)
def test_every_setting_is_explained(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_setting_is_shown_with_its_default() -> None:
    lines = settings_document().splitlines()
    assert "| `CLOSEDLOOP_MAX_BATCH_EVENTS` | `2500` | Most events in one request. |" in lines
    assert "| `currency` | `USD` | ISO 4217 currency of the reports. |" in lines


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
