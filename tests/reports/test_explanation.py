"""The explanation of one conversion: arithmetic that adds up, rules in words, evidence, and sentences."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.attribution.rules import MODELS
from app.db import Database
from app.reports.explanation_words import in_words
from app.sites.site import Site
from tests.facts import at
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

PAID = "https://shop.example/landing?utm_source=google&utm_medium=cpc&utm_campaign=spring"


async def explain(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    """The explanation of the one won deal."""
    [row] = (await get(client, "/v1/conversions"))["conversions"]
    return await get(client, f"/v1/conversions/{row['id']}/explain", **params)


async def test_each_step_of_the_arithmetic_and_a_refund(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    """Three touches share a conversion and 100.00; then 0.01 more, then half of it is given back: to the last millionth and cent."""
    assert site.site_id == "default"
    visits = [visit("ada", day, f"https://shop.example/?utm_source=s{day}&utm_medium=email") for day in (1, 2, 3)]
    await tell(client, database, *visits, form("ada", 3, "ada@acme.example"), won("d1", 9, "100.00", "ada@acme.example"))
    await tell(client, database, {**won("d1", 12, "50.00", "ada@acme.example"), "id": "refund"})
    for model in MODELS:
        answer = await explain(client, model=model)
        assert [(entry["before"], entry["after"], entry["conversions"]) for entry in answer["ledger"]] == [
            ("0.00", "100.00", 1),
            ("100.00", "50.00", 0),
        ]
        assert _sums(answer) == {
            (0, "after", "conversions"): 1_000_000,
            (0, "after", "revenue"): 10_000,
            (1, "after", "revenue"): 5_000,
            (1, "before", "revenue"): -10_000,
        }
        for touch in answer["touches"]:
            assert all(_is_right(step) for step in touch["arithmetic"])
            assert round(touch["conversions"] * 1_000_000) == sum(_credits(touch, "conversions"))
            assert round(float(touch["revenue"]) * 100) == sum(_credits(touch, "revenue"))

    linear = (await explain(client))["touches"][0]["arithmetic"]
    first = {"entry": 0, "side": "after", "what": "conversions", "whole": 1_000_000, "weight": 1, "of": 3}
    assert linear[0] == {**first, "share": 333_333, "remainder": 1, "extra_unit": True, "credit": 333_334}


def _sums(answer: dict[str, Any]) -> dict[tuple[int, str, str], int]:
    """What all touches got together, by entry, side and quantity."""
    found: dict[tuple[int, str, str], int] = {}
    for touch in answer["touches"]:
        for step in touch["arithmetic"]:
            key = (step["entry"], step["side"], step["what"])
            found[key] = found.get(key, 0) + step["credit"]
    return found


def _credits(touch: dict[str, Any], what: str) -> list[int]:
    return [step["credit"] for step in touch["arithmetic"] if step["what"] == what]


def _is_right(step: dict[str, Any]) -> bool:
    """The step by hand."""
    share, remainder = divmod(abs(step["whole"]) * step["weight"], step["of"])
    return (step["share"], step["remainder"], abs(step["credit"])) == (share, remainder, share + step["extra_unit"])


async def test_why_each_touch_has_its_channel_and_what_ties_its_visitor(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    contact = {"id": "7", "email": "ada@acme.example", "visitor_id": "phone"}
    await tell(
        client, database, visit("ada", 1, PAID), form("ada", 1, "ada@acme.example"), visit("phone", 2), won("d1", 9, "1", contact)
    )  # fmt: skip
    answer = await explain(client)
    [paid, direct] = answer["touches"]
    assert paid["rule_in_words"] == "Paid Search, because 'google' is a search engine, and the medium 'cpc' says that it was paid."
    assert paid["origin"] == {"source": "google", "medium": "cpc", "campaign": "spring"}
    assert (direct["channel"], direct["origin"]) == ("Direct", {})
    found = {tie["visitor_id"]: (tie["in_words"], tie["evidence"]["keys"]) for tie in answer["identity"]}
    assert found == {
        "ada": ("form_submit on 2026-03-01 with an e-mail", ["email"]),
        "phone": ("deal.won of the CRM on 2026-03-09 with a CRM contact ID and an e-mail", ["contact", "email"]),
    }
    assert "acme" not in str(answer["identity"]), "the address itself stays out"


async def test_the_companys_people_are_named_as_such(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    changed = await client.patch("/v1/sites/default", headers=READER, json={"account_journeys": True})
    assert changed.status_code == 200, changed.text
    await tell(client, database, visit("bob", 1, PAID), form("bob", 1, "bob@acme.example"), visit("eve", 2), form("eve", 2, "eve@gmail.com"))
    await tell(client, database, won("d1", 9, "100", company={"domain": "www.Acme.example"}))
    answer = await explain(client)
    assert answer["companies"] == [{"domain": "acme.example", "is_crowded": False}]
    assert (answer["conversion"]["people"], answer["conversion"]["company_people"]) == ([], 1)
    assert [touch["channel"] for touch in answer["touches"]] == ["Paid Search"]
    assert [(tie["visitor_id"], tie["is_contact"]) for tie in answer["identity"]] == [("bob", False)]

    await client.patch("/v1/sites/default", headers=READER, json={"account_journeys": False})
    await tell(client, database)
    assert (await explain(client))["uncredited"] == "no_contact"


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (["Email"], "after 1 touch within 90 days, Email on 2026-03-02. The model m gives all of it to Email."),
        (
            ["Email", "Email"],
            ("after 2 touches within 90 days, from Email on 2026-03-02 to Email on 2026-03-02. The model m gives all of it to Email "
            "(2 touches)."),
        ),
        (
            ["Email", "Direct", "Email", "Email", "Direct"],
            ("after 5 touches within 90 days, from Email on 2026-03-02 to Direct on 2026-03-02. The model m gives Email 60 % "
            "(3 touches) and Direct 40 % (2 touches) of it."),
        ),
        (
            ["A", "B", "C", "D", "E", "F", "G", "H"],
            ("after 8 touches within 90 days, from A on 2026-03-02 to H on 2026-03-02. The model m gives A 12.5 %, B 12.5 %, C 12.5 %, "
            "D 12.5 %, E 12.5 % and 3 more channels of it."),
        ),
    ],
)
def test_in_words(channels: list[str], words: str) -> None:
    touches = [
        {"channel": channel, "occurred_at": "2026-03-02T09:00:00Z", "visitor_id": "v", "conversions": 1 / len(channels)} for channel in channels
    ]
    row: Any = {"kind": "lead", "occurred_at": at(0)}
    assert in_words(row, "m", 90, touches, None, []) == f"This lead conversion happened on 2026-03-02, {words}"
