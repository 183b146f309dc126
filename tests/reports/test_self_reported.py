"""What people say brought them, beside what was tracked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.db import Database
from app.pipeline import run_until_idle
from app.reports.self_reported import UNMAPPED, Channels
from app.sites.settings import SelfReported, SiteSettings
from tests.crm.messages import ADMIN, Crm
from tests.reports.story import READER, form, get, tell, visit, won

pytestmark = pytest.mark.anyio

ASKED = "How did you hear about us?"
GOOGLE, LINKEDIN = {"referrer": "https://www.google.com/"}, {"referrer": "https://www.linkedin.com/"}
PAID = {"url": "https://shop.example/?utm_source=google&utm_medium=cpc"}


@pytest.mark.parametrize(
    ("answer", "channel"),
    [
        ("Googled you", "Organic Search"),
        ("A COLLEAGUE told me", "Word of mouth"),
        ("I said so", UNMAPPED),
        ("x.com", "Organic Social"),
        ("heard the podcast!", "Audio"),
        ("the expo in Köln", "Events"),
        ("Google, at the expo", "Events"),
    ],
)
def test_whole_words_tell_the_channel_a_sites_own_first(answer: str, channel: str) -> None:
    settings = SiteSettings(self_reported=SelfReported(channels={"expo | fair (big)": "Events"}))
    assert Channels(settings).of(answer) == channel


async def test_said_beside_tracked(database: Database, client: httpx.AsyncClient) -> None:
    crm = await Crm.connected(client)
    assert (await client.get("/v1/reports/self-reported", headers=READER)).status_code == 422
    asked = {"self_reported": {"properties": [ASKED, "heard_from"]}}
    assert (await client.patch("/v1/sites/default", json=asked, headers=ADMIN)).status_code == 200
    people: tuple[tuple[str, dict[str, Any], str | None], ...] = (
        ("v1", PAID, "Google"),  # nobody can tell that it was an ad
        ("v2", LINKEDIN, "the podcast"),  # dark
        ("v3", GOOGLE, "your stall"),  # unmapped
        ("v4", GOOGLE, None),  # not said
        ("v5", GOOGLE, "on LinkedIn"),  # its second touch shows it, the first does not
    )
    for visitor, came, answer in people:
        said = {"properties": {ASKED: answer}} if answer else {}
        await tell(client, database, visit(visitor, 2, **came), form(visitor, 4, f"{visitor}@example.com", **said))
    await tell(client, database, visit("v5", 3, **LINKEDIN), *(won(visitor, 9, "100", f"{visitor}@example.com") for visitor, *_ in people))
    # A contact whom nobody has seen, and who told sales.
    await crm.say("contact.created", "2026-03-05T00:00:00Z", {"email": "x@example.com", "properties": {"heard_from": "a friend"}})
    await tell(client, database, won("x", 9, "50", "x@example.com"))
    await run_until_idle(database)
    report = await get(client, "/v1/reports/self-reported")
    cells = {(row["said"], row["tracked"]): (row["conversions"], row["revenue"]) for row in report["rows"]}
    assert cells == {
        ("Organic Search", "Paid Search"): (1, "100.00"),
        ("Audio", "Organic Social"): (1, "100.00"),
        (UNMAPPED, "Organic Search"): (1, "100.00"),
        ("(not said)", "Organic Search"): (1, "100.00"),
        ("Organic Social", "Organic Search"): (1, "100.00"),
        ("Word of mouth", "(no touch)"): (1, "50.00"),
    }
    assert report["totals"] == {"conversions": 6, "revenue": "550.00"}
    assert report["said"] == {"conversions": 5, "share": 0.833333}
    assert report["agreeing"] == {"conversions": 1, "share": 0.25}
    assert report["dark"] == {"conversions": 2, "share": 0.5}
    assert report["unmapped"] == [{"answer": "your stall", "conversions": 1}]
    leads = await get(client, "/v1/reports/self-reported", conversion="lead", **{"from": "2026-03-01", "to": "2026-04-01"})
    assert leads["totals"] == {"conversions": 5}
    text = await client.get("/v1/reports/self-reported?format=csv", headers=READER)
    assert text.text.splitlines()[0] == "said,tracked,conversions,revenue,currency"
    mapped = {"self_reported": {"channels": {"stall": "Events"}}}
    assert (await client.patch("/v1/sites/default", json=mapped, headers=ADMIN)).status_code == 200
    assert (await get(client, "/v1/reports/self-reported"))["unmapped"] == []
