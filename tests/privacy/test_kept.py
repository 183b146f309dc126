"""No table is forgotten: each is exported and erased, searched for mentions, or holds nothing of a person for a stated reason."""

from __future__ import annotations

from app import tables
from app.privacy.kept import EXEMPT, KEPT
from app.privacy.mentions import SEARCHED

_BY_HAND = {"quarantine", "failed_keys"}
"""Bodies and lists of keys: sought in `mentions`, deleted in `erasure`."""
_NAMES_PEOPLE = {"visitor_id", "touch_visitor_id", "key_id", "person_id", "holder_id", "link_id", "dirty_key"}


def test_every_table_is_covered_or_declared_exempt() -> None:
    covered = {kept.table.name for kept in KEPT} | {searched.table.name for searched in SEARCHED} | _BY_HAND
    assert covered & set(EXEMPT) == set()
    assert covered | set(EXEMPT) == set(tables.metadata.tables)


def test_no_exempt_table_has_a_column_that_names_people() -> None:
    # `keys` and `erasures` are about API keys; a `key_id` names those there. `excluded_keys` names staff.
    found = {name for name in EXEMPT if _NAMES_PEOPLE & set(tables.metadata.tables[name].c.keys())}
    assert found == {"keys", "erasures", "excluded_keys"}


def test_history_is_erased_like_the_table() -> None:
    erased = {kept.table.name for kept in KEPT} | {searched.table.name for searched in SEARCHED}
    assert {name for name in tables.history if name in erased and f"{name}_history" not in erased} == set()
