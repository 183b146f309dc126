"""The README's example is run, and its answer is the real one."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.attribution.rules import MODELS
from app.db import Database
from app.demo.delivery import Keys, deliver, plan
from app.demo.world import cast
from app.pipeline import run_until_idle
from tests.world import SECRET_KEY, WRITE_KEY

pytestmark = pytest.mark.anyio

README = Path(__file__).parents[1] / "README.md"
WEBHOOK_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


async def test_the_example_answers_what_the_readme_shows(client: httpx.AsyncClient, database: Database) -> None:
    await play_ada(client, database)
    command, shown = re.search(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", README.read_text(), re.DOTALL).groups()
    _, header_flag, header, url = shlex.split(command.replace("$SECRET_KEY", SECRET_KEY))
    assert header_flag == "-H"
    name, value = header.split(": ")
    answer = (await client.get(url.removeprefix("http://127.0.0.1:8000"), headers={name: value})).json()
    moments = {"as_of", "computed_through", "settings_version"}
    assert {key: each for key, each in answer.items() if key not in moments} == {
        key: each for key, each in json.loads(shown).items() if key not in moments
    }
    assert answer.keys() == json.loads(shown).keys()


async def test_a_row_of_whom_to_call_has_what_the_readme_shows(client: httpx.AsyncClient, database: Database) -> None:
    await play(client, database, "tess")
    [shown] = re.findall(r"```json\n(\{\n  \"deal_id\".*?)```", README.read_text(), re.DOTALL)
    answer = await client.get("/v1/opportunities", headers={"Authorization": f"Bearer {SECRET_KEY}"})
    [row] = answer.json()["opportunities"]
    moments = {"started_at", "due_at", "waited_hours", "last_touches", "expected_value", "outcome", "person_id", "people"}
    expected = json.loads(shown)
    assert row.keys() == expected.keys()
    assert {name: each for name, each in row.items() if name not in moments} == {
        name: each for name, each in expected.items() if name not in moments
    }


async def play_ada(client: httpx.AsyncClient, database: Database) -> None:
    await play(client, database, "ada")


async def play(client: httpx.AsyncClient, database: Database, name: str) -> None:
    connection = {"id": "crm", "provider": "generic", "secret": WEBHOOK_SECRET}
    authorised = {"Authorization": f"Bearer {SECRET_KEY}"}
    assert (await client.post("/v1/connections", json=connection, headers=authorised)).is_success
    [story] = [story for story in cast(datetime(2026, 5, 1, tzinfo=UTC)) if story.name == name]
    await deliver(client, plan([story], datetime.now(UTC)), Keys(WRITE_KEY, SECRET_KEY, WEBHOOK_SECRET), lambda: None)
    await run_until_idle(database)


def test_every_model_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| .* \| .* \|$", README.read_text(), re.MULTILINE)
    assert set(MODELS) <= set(rows)


def test_every_page_that_is_named_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (README.parent / target).exists(), target
