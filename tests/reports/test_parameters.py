"""What the reports refuse, whatever is stored."""

from __future__ import annotations

import httpx
import pytest

from app import ids
from app.db import Database
from app.sites.site import Site
from tests.attribution.ledgers import store_labels
from tests.reports.story import READER

pytestmark = pytest.mark.anyio

NUL = "\x00"


async def test_values_that_are_not_allowed_are_refused_by_name(client: httpx.AsyncClient, database: Database, site: Site) -> None:
    assert site.site_id == "default"
    await store_labels(database, ["Paid Search"])
    refused = [
        ("/v1/conversions", {"cursor": "nonsense"}, "next"),
        ("/v1/conversions", {"cursor": ids.public("9" * 30, "a", "b")}, "next"),
        ("/v1/conversions", {"cursor": ids.public("1", NUL, "b")}, "next"),
        ("/v1/conversions", {"channel": "Telepathy"}, "Paid Search"),
        ("/v1/conversions", {"campaign": NUL}, "campaign"),
        ("/v1/conversions", {"limit": "0"}, "limit"),
        ("/v1/conversions", {"conversion": "x"}, "customer"),
        ("/v1/conversions", {"conversion": NUL}, "conversion"),
        ("/v1/reports/funnel", {"by": "planet"}, "landing_page"),
        ("/v1/reports/funnel", {"from": "2026-03-02", "to": "2026-03-01"}, "earlier"),
        ("/v1/people", {"email": NUL}, "email"),
        ("/v1/people", {"email": "not an address"}, "email="),
        ("/v1/people", {"name": "Ada"}, "name"),
        ("/v1/people", {}, "email="),
    ]
    for path, params, named in refused:
        answer = await client.get(path, headers=READER, params=params)
        assert (answer.status_code, named in answer.json()["detail"]) == (422, True), (path, params, answer.text)


async def test_ids_that_nothing_has_are_not_found(client: httpx.AsyncClient, site: Site) -> None:
    assert site.site_id == "default"
    strange = [
        "nothing",
        "~",
        "~AAAA",
        "~ü",
        "%00",
        ids.public("customer", "generic", "d9"),
        ids.public("customer", NUL, "d9"),
        ids.public(NUL),
    ]
    strange.append("~WyJcdWQ4MDAiLCIiLCIiXQ")  # ["\\ud800","",""]
    for each in strange:
        for path in (f"/v1/conversions/{each}/explain", f"/v1/people/{each}/journey"):
            answer = await client.get(path, headers=READER)
            assert answer.status_code == 404, (path, answer.text)
