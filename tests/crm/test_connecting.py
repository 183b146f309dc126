"""What a CRM's stages mean, and what that would make of its deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.crm.connecting import Previewed, Unknown, as_the_crm_says, chosen_pipelines, counts_as, preview, settings_of, with_meanings
from app.crm.messages import Said
from app.crm.providers import Client, Page, Pipeline, Stage
from app.sites.connections import Connection, ConnectionFields, ConnectionSettings
from tests.crm.made_up import PROVIDER

SALES = Pipeline("1", "Sales", (Stage("n", "New"), Stage("w", "Won", "won"), Stage("l", "Lost", "lost")))
RENEWALS = Pipeline("2", "Renewals", (Stage("due", "Due"), Stage("rw", "Renewed", "won")))


def test_the_crm_says_what_its_stages_mean_and_the_user_has_the_last_word() -> None:
    choices = [as_the_crm_says(each) for each in chosen_pipelines([SALES, RENEWALS], [])]
    told = settings_of(with_meanings(choices, {"won": ["New"], "ignored": ["l"], "lost": []}))
    assert told.meanings() == {"won": ["n", "w", "rw"], "lost": [], "ignored": ["l"]}
    assert {name: each.name for name, each in told.pipelines.items()} == {"1": "Sales", "2": "Renewals"}


def test_names_and_ids_that_nothing_has() -> None:
    assert chosen_pipelines([SALES, RENEWALS], ["renewals", "1"]) == [RENEWALS, SALES]
    with pytest.raises(Unknown, match=r"no pipeline 'x'; there are Sales \(1\), Renewals \(2\)"):
        chosen_pipelines([SALES, RENEWALS], ["x"])
    with pytest.raises(Unknown, match="no stage 'due'"):
        with_meanings([as_the_crm_says(SALES)], {"won": ["due"]})


@pytest.mark.parametrize(
    ("data", "counted"),
    [
        ({"pipeline": "1", "stage": "w"}, "won"),
        ({"pipeline": "1", "stage": "n"}, "open"),
        ({"pipeline": 1, "stage": "l"}, "lost"),
        ({"pipeline": "9", "stage": "w"}, "ignored (pipeline)"),
        ({"pipeline": "1", "stage": "n", "outcome": "won"}, "won"),
        ({"pipeline": "1", "stage": "w", "outcome": "open"}, "open"),
        ({"stage": "unknown"}, "open"),
    ],
)
def test_what_a_deal_would_count_as(data: dict[str, Any], counted: str) -> None:
    assert counts_as(data, settings_of([as_the_crm_says(SALES)])) == counted


def test_without_pipelines_every_ones_deals_count() -> None:
    assert counts_as({"pipeline": "9", "stage": "Signed"}, ConnectionSettings(won_stages=["Signed"])) == "won"


@pytest.mark.anyio
async def test_a_preview_adds_up_what_several_messages_say_of_a_deal() -> None:
    said = [
        Said("3", "deal.won", {"id": "7", "stage": "w"}, 3),
        Said("1", "deal.updated", {"id": "7", "name": "Initech", "amount": 12, "currency": "EUR", "stage": "n"}, 1),
        Said("2", "contact.updated", {"id": "ada"}, 2),
        *(Said(f"d{number}", "deal.updated", {"id": f"d{number:02}", "name": f"deal {number}"}, 10 + number) for number in range(15)),
    ]

    async def poll(client: Client, connection: Connection, kind: str, since: int, cursor: str | None) -> Page:
        begin = int(cursor or 0)
        return Page(tuple(said[begin : begin + 4]), str(begin + 4) if begin + 4 < len(said) else None)

    settings = settings_of([as_the_crm_says(SALES)])
    sender = Connection("default", "crm", (), ConnectionFields(provider="hubspot", settings=settings), datetime(2026, 1, 1, tzinfo=UTC))
    client: Any = None
    pipelines: Sequence[Pipeline] = [SALES]
    found = await preview(client, sender, replace(PROVIDER, poll=poll), pipelines, datetime(2026, 1, 1, tzinfo=UTC))
    assert found[0] == Previewed("Initech", "Sales: Won", "12 EUR", "won")
    assert [each.name for each in found[1:]] == [f"deal {number}" for number in range(9)]
