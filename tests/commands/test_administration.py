"""sites, keys, connections, quarantine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from app.cli import app
from app.commands.complaints import complaint
from app.errors import Conflict, NotFound, Unprocessable

Command = Callable[..., Result]


def cells(result: Result) -> list[dict[str, str]]:
    """The rows of a table."""
    assert result.exit_code == 0, (result.output, result.exception)
    header, *rows = (line.split("\t") for line in result.stdout.splitlines() if "\t" in line)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def with_site(command: Command, tmp_path: Path) -> Command:
    """A database with the site `default`, as the first import makes it."""
    (tmp_path / "empty.jsonl").write_text("")
    made = command("import", "empty.jsonl")
    assert made.exit_code == 0, (made.output, made.exception)
    assert made.stdout.count("shown once") == 2
    return command


def test_sites(with_site: Command) -> None:
    assert with_site("sites", "create", "shop", "--set", "timezone=Europe/Berlin", "--set", 'hosts=["shop.example"]').exit_code == 0
    assert [(row["site"], row["timezone"], row["hosts"]) for row in cells(with_site("sites", "list"))] == [
        ("default", "UTC", ""),
        ("shop", "Europe/Berlin", "shop.example"),
    ]
    assert "Version 2" in with_site("sites", "change", "shop", "--set", "currency=EUR").stdout
    shown = json.loads(with_site("sites", "show", "shop").stdout)
    assert (shown["currency"], shown["timezone"]) == ("EUR", "Europe/Berlin")
    assert with_site("sites", "delete", "shop").exit_code == 0
    assert [row["site"] for row in cells(with_site("sites", "list"))] == ["default"]


def test_a_list_of_spam_is_added_or_takes_the_place_of_the_one_before(with_site: Command, tmp_path: Path) -> None:
    (tmp_path / "spam.txt").write_text("# kept by others\nwww.Junk.example\n\njunk.example # again\nbücher.example\nno domain\nlocalhost\n")
    (tmp_path / "other.txt").write_text("trash.example")
    added = with_site("sites", "spam", "default", "spam.txt")
    assert "2 domains were read; 2 are spam to default" in added.stdout
    assert "2 lines hold no domain" in added.stdout
    assert "1 domains were read; 3 are spam" in with_site("sites", "spam", "default", "other.txt").stdout
    assert _spam(with_site) == ["junk.example", "xn--bcher-kva.example", "trash.example"]
    assert with_site("sites", "spam", "default", "other.txt", "--replace").exit_code == 0
    assert _spam(with_site) == ["trash.example"]


def _spam(command: Command) -> list[str]:
    shown: list[str] = json.loads(command("sites", "show", "default").stdout)["spam_referrers"]
    return shown


@pytest.mark.parametrize(
    ("source", "complaint"),
    [("nowhere.txt", "cannot be read"), ("empty.jsonl", "no domain"), ("https://127.0.0.1/spam.txt", "private address")],
)
def test_a_list_of_spam_that_cannot_be_read(with_site: Command, source: str, complaint: str) -> None:
    refused = with_site("sites", "spam", "default", source)
    assert refused.exit_code == 1
    assert complaint in refused.stderr
    assert _spam(with_site) == []


def test_keys(with_site: Command) -> None:
    [made] = cells(with_site("keys", "create", "--scope", "read", "--label", "reports"))
    assert made["value"].startswith("cl_sk_")
    listed = {row["key"]: row for row in cells(with_site("keys", "list"))}
    assert (listed[made["key"]]["scopes"], listed[made["key"]]["label"], listed[made["key"]]["value"]) == ("read", "reports", "")
    assert with_site("keys", "revoke", made["key"]).exit_code == 0
    [revoked] = [row for row in cells(with_site("keys", "list", "--site", "default")) if row["key"] == made["key"]]
    assert revoked["revoked_at"]
    assert sum(bool(row["revoked_at"]) for row in cells(with_site("keys", "list"))) == 1


def test_connections(with_site: Command) -> None:
    [made] = cells(with_site("connections", "create", "crm", "--won-stage", "Closed Won"))
    assert made["path"] == "/v1/webhooks/crm"
    more = ("--provider", "hubspot", "--token", "pat-123456", "--base-url", "https://api.example", "--setting", "account_id=42", "--setting")
    assert with_site("connections", "create", "other", *more, 'fields={"budget": "bant_budget__c"}').exit_code == 0
    assert "pat-123456" not in with_site("connections", "list").output
    assert with_site("connections", "create", "wrong", "--setting", "nothing").exit_code == 1
    assert with_site("connections", "delete", "other").exit_code == 0
    [rotated] = cells(with_site("connections", "rotate", "crm"))
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert [row["live_secrets"] for row in cells(with_site("connections", "list"))] == ["2"]
    assert with_site("connections", "rotate", "crm", "--end-previous").exit_code == 0
    assert [row["live_secrets"] for row in cells(with_site("connections", "list"))] == ["1"]
    assert with_site("connections", "delete", "crm").exit_code == 0
    assert cells(with_site("connections", "list")) == []


def test_models(with_site: Command) -> None:
    [made] = cells(with_site("models", "create", "ours", "--first", "40", "--lead", "37.5", "--rest", "22.5"))
    assert [made[name] for name in ("model", "first", "lead", "opportunity", "last", "rest")] == ["ours", "40", "37.5", "0", "0", "22.5"]
    [changed] = cells(with_site("models", "change", "ours", "--lead", "30", "--last", "7.5"))
    assert (changed["first"], changed["lead"], changed["last"]) == ("40", "30", "7.5")
    assert cells(with_site("models", "list")) == [changed]
    assert with_site("models", "delete", "ours").exit_code == 0
    assert cells(with_site("models", "list")) == []


def test_quarantine(with_site: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"type": 5, "occurred_at": "2026-03-02T09:00:00Z"}\n')
    assert with_site("import", "bad.jsonl").exit_code == 1
    [row] = cells(with_site("quarantine", "list"))
    assert row["door"] == "events"
    assert row["reason"].startswith("type")
    assert json.loads(with_site("quarantine", "show", row["id"]).stdout)["type"] == 5
    replayed = with_site("quarantine", "replay")
    assert replayed.exit_code == 1
    assert "0 stored, 0 were stored already, 1 still refused" in replayed.stdout
    assert with_site("quarantine", "purge", "--days", "0").exit_code == 0
    assert cells(with_site("quarantine", "list")) == []
    assert with_site("quarantine", "show", row["id"]).exit_code == 1


MISTAKES: list[tuple[list[str], type[Exception]]] = [
    (["sites", "show", "nowhere"], NotFound),
    (["sites", "create", "default"], Conflict),
    (["sites", "change", "default", "--set", "timezone=Mars/Olympus"], Unprocessable),
    (["keys", "revoke", "key_nowhere"], NotFound),
    (["keys", "create", "--scope", "everything"], Unprocessable),
    (["connections", "rotate", "crm"], NotFound),
    (["connections", "create", "crm", "--secret", "guess"], Unprocessable),
    (["models", "create", "ours", "--first", "90"], Unprocessable),
    (["models", "delete", "ours"], NotFound),
    (["rebuild", "--site", "nowhere"], NotFound),
]


def test_what_is_wrong_is_a_problem_and_no_traceback(with_site: Command) -> None:
    for arguments, error in MISTAKES:
        raised = with_site(*arguments).exception
        assert isinstance(raised, error), (arguments, raised)
        assert complaint(raised) == raised.detail


def test_everything_has_help() -> None:
    for path, described in _commands(typer.main.get_command(app)):
        assert described.help, f"{' '.join(path)} says nothing of itself"
        for parameter in described.params:
            assert getattr(parameter, "help", None), f"{' '.join(path)} {parameter.name} says nothing of itself"


def _commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for name, member in group.commands.items():
        found.append(((*path, name), member))
        if hasattr(member, "commands"):
            found += _commands(member, (*path, name))
    return found


def test_segments(with_site: Command) -> None:
    assert with_site("segments", "create", "New ones", "--filter", "customer:new", "--filter", "type:!renewal").exit_code == 0
    assert cells(with_site("segments", "list")) == [{"segment": "New ones", "filters": "customer:new type:!renewal"}]
    assert with_site("segments", "change", "New ones", "--filter", "customer:new").exit_code == 0
    assert cells(with_site("segments", "list")) == [{"segment": "New ones", "filters": "customer:new"}]
    assert isinstance(with_site("segments", "create", "x", "--filter", "planet:Mars").exception, SystemExit | Unprocessable)
    assert with_site("segments", "delete", "New ones").exit_code == 0
    assert cells(with_site("segments", "list")) == []
