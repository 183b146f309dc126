"""closedloop crm, against a CRM on a real port."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app import tables
from app.crm.registry import PROVIDERS
from app.errors import Unprocessable
from tests.commands.conftest import Command
from tests.crm.made_up import PROVIDER, STAND_IN, TOKEN, MadeUpCrm, serving

YESTERDAY = tables.to_micros(datetime.now(UTC) - timedelta(days=1))


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUpCrm]:
    monkeypatch.setitem(PROVIDERS, STAND_IN, PROVIDER)
    monkeypatch.setenv("CLOSEDLOOP_ALLOW_PRIVATE_ADDRESSES", "1")
    with serving(MadeUpCrm()) as server:
        server.put("contacts", "ada", YESTERDAY, email="ada@example.com")
        deals = [("1", "Initech", "won", "sales", 1200), ("2", "Hooli", "offer", "sales", 900), ("3", "Trial", "test", "sales", None), ("4", "Bob", "applied", "hiring", None)]
        for deal, name, stage, pipeline, amount in deals:
            server.put("deals", deal, YESTERDAY, name=name, stage=stage, pipeline=pipeline, amount=amount, currency="USD" if amount else None)
        yield server


def _connect(command: Command, crm: MadeUpCrm, *more: str, token: str = TOKEN) -> tuple[int, str]:
    arguments = ("crm", "connect", STAND_IN, "--base-url", crm.url, "--token", token, "--id", "crm", "--pipeline", "Sales", "--ignored", "test", "--yes")
    ended = command(*arguments, *more)
    return ended.exit_code, ended.output


def test_connect_shows_what_it_found_and_reads_it(command: Command, crm: MadeUpCrm) -> None:
    code, said = _connect(command, crm, "--once")
    assert code == 0, said
    assert "The token opens Made-up CRM: Example Ltd." in said
    assert "Sales\tClosed won\twon\twon" in said
    assert "Sales\tTest\ttest\tignored" in said
    for row in ("Initech\tSales: Closed won\t1200 USD\twon", "Hooli\tSales: Offer sent\t900 USD\topen", "Trial\tSales: Test\t\tignored (stage)", "Bob\tHiring: Applied\t\tignored (pipeline)"):
        assert row in said
    assert "Connected as crm." in said
    assert "Read 1 contacts, 4 deals. 5 facts are new." in said
    assert TOKEN not in said


def test_a_value_that_is_not_allowed_is_named_and_no_token_shown(command: Command) -> None:
    told = command("crm", "connect", "hubspot", "--yes", "--token", "pat-secret", "--base-url", "file:///etc/passwd")
    assert isinstance(told.exception, Unprocessable)
    assert str(told.exception).startswith("api_base_url: ")
    told = command("crm", "connect", "hubspot", "--yes", "--token", "pat-secret" * 100)
    assert isinstance(told.exception, Unprocessable)
    assert "pat-secret" not in str(told.exception)


def test_reading_again_changes_nothing(command: Command, crm: MadeUpCrm) -> None:
    _connect(command, crm, "--once")
    since = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    again = command("crm", "sync", "crm", "--since", since)
    assert again.exit_code == 0, again.output
    assert "Read 1 contacts, 4 deals. 0 facts are new." in again.output
    crm.put("deals", "5", YESTERDAY + 1, name="Umbrella")
    assert "Read 0 deals. 0 facts are new." in command("crm", "sync", "crm", "--kind", "deals").output
    only = command("crm", "sync", "crm", "--since", since, "--kind", "deals")
    assert "Read 5 deals. 1 fact is new." in only.output
    shown = command("crm", "status").stdout
    assert "crm\tfetches\t\t0\t0\t" in shown
    assert "crm\tpoll deals\t" in shown


def test_connect_asks_what_the_stages_mean(command: Command, crm: MadeUpCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from app.cli import app

    answers = f"{TOKEN}\ny\n3\n4,5\n9\n-\nn\ny\n"
    ended = CliRunner().invoke(app, ["crm", "connect", STAND_IN, "--base-url", crm.url, "--months", "3"], input=answers)
    assert ended.exit_code == 0, ended.output
    assert "numbers from 1 to 5, with commas, or -" in ended.output
    assert "Trial\tSales: Test\t\tlost" in ended.output
    assert f"Connected as {STAND_IN}." in ended.output
    assert "asks again every 10 minutes" in ended.output


def test_what_goes_wrong_is_said_and_nothing_is_made(command: Command, crm: MadeUpCrm) -> None:
    for more, token, words in (
        ((), "wrong-token-5678", "does not know the token"),
        (("--won", "nowhere"), TOKEN, "there is no stage 'nowhere'; there are New (new), Offer sent (offer)"),
        (("--pipeline", "nowhere"), TOKEN, "there is no pipeline 'nowhere'; there are Sales (sales), Hiring (hiring)"),
    ):
        code, said = _connect(command, crm, *more, token=token)
        assert (code, words in said) == (1, True), said
        assert token not in said
    unknown = command("crm", "connect", "nocrm", "--token", "x", "--yes")
    assert (unknown.exit_code, "cannot be connected by a token" in unknown.output) == (1, True)
    assert "crm" not in command("connections", "list").stdout.splitlines()[1:]
    assert command("crm", "sync", "crm").exit_code == 1


def test_a_sync_that_cannot_read_all_says_what_and_who_goes_on(command: Command, crm: MadeUpCrm) -> None:
    _connect(command, crm)
    crm.denied.add("contacts")
    ended = command("crm", "sync", "crm")
    assert ended.exit_code == 1
    assert "contacts: The token may not read this (missing scope: contacts)" in ended.output
    assert "Read 0 contacts, 4 deals." in ended.output
    assert "`closedloop serve` goes on trying" in ended.output
    assert "missing scope: contacts" in command("crm", "status").stdout


def test_reconcile_by_what_was_told(command: Command, crm: MadeUpCrm) -> None:
    _connect(command, crm, "--once")
    shown = command("crm", "reconcile", "crm", "--month", "2026-03", "--told")
    assert (shown.exit_code, shown.stdout.splitlines()[:2]) == (0, ["The CRM, by what it has told: 0 deals, 0.00 USD", "We: 0 deals, 0.00 USD"])
    wrong = command("crm", "reconcile", "crm", "--month", "March")
    assert (wrong.exit_code, "is not a month" in wrong.stderr) == (1, True)
