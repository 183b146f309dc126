"""people: export, erase."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

EVENTS = (
    {"type": "visit", "visitor_id": "b1", "occurred_at": "2026-05-04T08:00:00Z", "url": "https://www.acme.example/"},
    {"type": "identify", "visitor_id": "b1", "occurred_at": "2026-05-04T08:01:00Z", "email": "ann@example.com"},
)


def test_a_person_is_exported_and_erased(command: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS)))
    assert command("import", "events.jsonl").exit_code == 0
    # Nothing has computed yet whose events these are: erasing does that first. Nobody answers its question here.
    refused = command("people", "erase", "ann@example.com")
    assert refused.exit_code == 1
    exported = json.loads(command("people", "export", "b1").stdout)
    assert [row["value"] for row in exported["tables"]["contacts"]] == ["ann@example.com"]
    assert {row["type"] for row in exported["tables"]["events"]} == {"visit", "identify"}

    erased = command("people", "erase", "Ann@Example.com", "--yes")
    assert erased.exit_code == 0, (erased.output, erased.exception)
    assert "events\t2\n" in erased.stdout
    assert command("people", "erase", "ann@example.com", "--yes").exit_code == 1
    assert "command line" in command("people", "erasures").stdout
