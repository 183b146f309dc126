"""A report of an earlier moment is the report that was served at that moment, whatever has arrived or changed since."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.db import Database
from app.errors import Unprocessable
from app.log import Log
from app.pipeline import check, run_until_idle, start_rebuild
from app.reports.attribution import attribution
from app.reports.conversions import ConversionFilters, conversions
from app.reports.diff import CAUSES, DiffFilters, diff
from app.reports.parameters import AttributionFilters
from app.sites.administration import change_settings
from app.sites.site import Site
from tests.flow.stories import a_story, batches
from tests.flow.test_any_order import forget_everything, run_a_little, site_now, undo
from tests.world import SECRET_KEY

pytestmark = pytest.mark.anyio

READER = {"Authorization": f"Bearer {SECRET_KEY}"}
_few = settings(max_examples=max(1, settings().max_examples // 4), phases=(Phase.reuse, Phase.generate))
_RULES: tuple[dict[str, Any], ...] = (
    {"channel_rules": [{"channel": "Ours", "source": "news"}]},
    {"ignored_hosts": ["blog.example.net"]},
    {"lookback_days": {"customer": 1, "lead": 1}},
    {"currency": "EUR"},
    {"timezone": "America/New_York"},
    {"goals": [{"name": "prices", "path": "/pricing"}]},
)
# The first two are answered by ready-made sums, wherever these are settled.
_QUESTIONS: tuple[dict[str, Any], ...] = (
    {"conversion": "customer", "model": "last_non_direct"},
    {"conversion": "lead", "model": "linear", "by": "source,campaign", "from": "2026-03-03", "to": "2026-03-20"},
    {"conversion": "customer", "model": "all", "by": "channel,campaign", "lookback_days": 300},
    {"conversion": "customer", "model": "linear", "by": "landing_page", "exclude_direct": True, "to": "2026-03-20"},
    {"conversion": "lead", "model": "last_non_direct", "by": "source", "lookback_days": 3},
    {"conversion": "opportunity", "model": "first_touch", "by": "referrer,content", "touches_until": "opportunity"},
)


@pytest.fixture
async def log(database: Database, site: Site) -> AsyncIterator[Log]:
    log = Log(database)
    await log.start()
    yield log
    await log.stop()


async def served(database: Database, as_of: str | None = None) -> tuple[str | None, list[Any]]:
    """The moment that reports say they are of, and what they say."""
    site, now, answers = await site_now(database), datetime.now(UTC), []
    async with database.read() as connection:
        for question in _QUESTIONS:
            report = await attribution(connection, site, AttributionFilters(as_of=as_of, **question), now)
            every = list(report.get("models", {"": report}).values())
            handle = every[0]["as_of"]
            of_now = ("as_of", "computed_through", "rebuilding")
            answers += [{name: value for name, value in each.items() if name not in of_now} for each in every]
        for kind in ("customer", "lead"):
            listed = await conversions(connection, site, ConversionFilters(conversion=kind, as_of=as_of), now)
            answers.append(listed["conversions"])
    return handle, answers


async def change(database: Database, changes: dict[str, Any]) -> None:
    async with database.write() as connection:
        await change_settings(connection, "default", changes, datetime.now(UTC))


@_few
@given(seed=st.integers(0, 2**32))
async def test_as_of_a_moment_is_what_was_served_then(database: Database, log: Log, site: Site, seed: int) -> None:
    story, chance = a_story(site, seed, length=40), random.Random(seed)
    await forget_everything(database)
    rules, undone, told, then = list(_RULES), list(story.undone), set(), []
    for batch in batches(chance, story.facts):
        await log.append(batch)
        told.update(story.facts.index(fact) for fact in batch)
        if rules and chance.random() < 0.4:
            await change(database, rules.pop(chance.randrange(len(rules))))
        for ready in [each for each in undone if each.place in told]:
            await undo(database, ready)
            undone.remove(ready)
        if chance.random() < 0.2:
            await start_rebuild(database, "default", datetime.now(UTC))
        await run_a_little(database, chance)
        then.append((await served(database), datetime.now(UTC).isoformat()))
    await run_until_idle(database)
    then.append((await served(database), datetime.now(UTC).isoformat()))
    await what_sums_answer_is_what_history_answers(database)
    assert await check(database, await site_now(database)) == []

    assert len({str(answers) for (_, answers), _ in then}) > 3, "a story in which nothing changes shows nothing"
    for (handle, answers), moment in then:
        if handle is None:
            continue
        assert await served(database, as_of=handle) == (handle, answers)
        assert (await served(database, as_of=moment))[1] == answers
        if chance.random() < 0.3:
            await a_difference_adds_up(database, chance, handle, answers[0]["currency"])


async def what_sums_answer_is_what_history_answers(database: Database) -> None:
    """Of a default question, when all is computed: now it is answered by ready-made sums, with `as_of` by journeys."""
    site, now, default = await site_now(database), datetime.now(UTC), {"conversion": "customer", "model": "all"}
    async with database.read() as connection:
        by_sums = await attribution(connection, site, AttributionFilters(**default), now)
        handle = by_sums["models"]["linear"]["as_of"]
        by_journeys = await attribution(connection, site, AttributionFilters(as_of=handle, **default), now)
    for model, answer in by_journeys["models"].items():
        assert by_sums["models"][model]["rows"] == answer["rows"], model
        assert by_sums["models"][model]["totals"] == answer["totals"], model


async def test_what_came_before_tracking_began_is_told_by_what_was_known_then(client: httpx.AsyncClient, database: Database) -> None:
    async def told(**event: Any) -> tuple[str, dict[str, Any]]:
        answer = await client.post("/v1/events", json=event, headers=READER)
        assert answer.json()["accepted"] == 1, answer.text
        await run_until_idle(database)
        report = (await client.get("/v1/reports/attribution?lookback_days=300", headers=READER)).json()
        return report["as_of"], report["totals"]["uncredited"]["reasons"]

    page = {"type": "visit", "url": "https://brand.example/"}
    await told(**page, visitor_id="ann", occurred_at="2026-03-20T12:00:00Z")
    deal = {"id": "d", "amount": "10", "currency": "USD", "outcome": "won", "contacts": ["nobody@example.com"]}
    handle, then = await told(type="deal_closed", deal=deal, occurred_at="2026-03-10T12:00:00Z")
    _, now = await told(**page, visitor_id="bob", occurred_at="2026-03-01T12:00:00Z")
    assert ([*then], [*now]) == (["before_tracking_began"], ["no_touch"])
    again = (await client.get("/v1/reports/attribution", params={"lookback_days": 300, "as_of": handle}, headers=READER)).json()
    assert again["totals"]["uncredited"]["reasons"] == then


async def a_difference_adds_up(database: Database, chance: random.Random, handle: str, earlier_currency: str) -> None:
    """From a moment until now: before and after are the reports of the two moments, and the causes add up to the change."""
    question = {**chance.choice(_QUESTIONS), "model": chance.choice(("linear", "last_non_direct", "time_decay"))}
    site, now = await site_now(database), datetime.now(UTC)
    async with database.read() as connection:
        asked = DiffFilters(from_as_of=handle, **question)
        if earlier_currency != site.settings.currency and question["conversion"] != "lead":
            with pytest.raises(Unprocessable, match="currency"):
                await diff(connection, site, asked, now)
            return
        answer = await diff(connection, site, asked, now)
        reports = {
            when: await attribution(connection, site, AttributionFilters(as_of=as_of, **question), now)
            for when, as_of in (("before", handle), ("after", None))
        }
    names = question["by"].split(",")
    for when, report in reports.items():
        credited = {tuple(row[name] for name in names): exact(row) for row in report["rows"]}
        shown = {tuple(row[name] for name in names): exact(row[when]) for row in answer["rows"]}
        assert {key: value for key, value in shown.items() if any(value)} == credited
        assert exact(answer["totals"][when]) == exact(report["totals"])
        for half in ("credited", "uncredited"):
            assert exact(answer["totals"][half][when]) == exact(report["totals"][half])
    for row in (*answer["rows"], answer["totals"], answer["totals"]["credited"], answer["totals"]["uncredited"]):
        before, after, change = (exact(row[name]) for name in ("before", "after", "change"))
        assert change == minus(after, before)
        assert change == plus(exact(cause) for cause in row["causes"].values())
    credited = answer["totals"]["credited"]
    for cause in CAUSES:
        assert plus(exact(row["causes"].get(cause, {})) for row in answer["rows"]) == exact(credited["causes"].get(cause, {}))


def exact(figures: dict[str, Any]) -> tuple[int, Decimal]:
    """Millionths, and money."""
    money = next((figures[name] for name in ("revenue", "pipeline") if name in figures), "0")
    return round(figures.get("conversions", 0) * 1_000_000), Decimal(money)


def plus(every: Iterable[tuple[int, Decimal]]) -> tuple[int, Decimal]:
    found = list(every)
    return sum(each[0] for each in found), sum((each[1] for each in found), Decimal(0))


def minus(left: tuple[int, Decimal], right: tuple[int, Decimal]) -> tuple[int, Decimal]:
    return left[0] - right[0], left[1] - right[1]
