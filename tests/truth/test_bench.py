"""The bench on the real pipeline: exact, the same on both databases, and right about what must hold."""

from __future__ import annotations

from functools import cache

import anyio

from app.attribution.rules import MODELS
from app.db import Database
from app.truth.bench import NO_MODEL, Played, Verdict, play, play_all
from app.truth.markets import MARKETS

SEED = 11


@cache
def played(name: str, count: int, seed: int = SEED) -> Played:
    """A market on a database of the bench's own; computed once in a run of the tests."""

    async def one() -> Played:
        [found] = [each async for each in play_all([MARKETS[name]], count=count, seed=seed, told=lambda *_: None)]
        return found

    return anyio.run(one)


def verdict(name: str, model: str, count: int = 400) -> Verdict:
    return next(each for each in played(name, count).verdicts if each.model == model)


async def _play(url: str, count: int) -> Played:
    database = Database(url)
    try:
        return await play(database, MARKETS["realistic"], count=count, seed=SEED, told=lambda *_: None)
    finally:
        await database.dispose()


def test_the_same_seed_gives_the_same_figures_on_both_databases(database_url: str) -> None:
    assert anyio.run(_play, database_url, 150) == played("realistic", 150)


def test_another_seed_gives_others() -> None:
    assert played("realistic", 150, seed=12).verdicts != played("realistic", 150).verdicts


def test_every_model_of_the_product_credits_every_customer_exactly() -> None:
    found = played("realistic", 150)
    assert {NO_MODEL, *MODELS} <= {each.model for each in found.verdicts}
    for each in found.verdicts:
        assert round(sum(each.credited.values()) + found.uncredited, 6) == found.truth.customers, each.model
    assert {name for each in found.verdicts for name in each.credited} == set(MARKETS["realistic"].names)


# ---------------------------------------------------------------- what must hold, whatever the seed


def test_where_channels_are_alike_and_random_equal_parts_are_nearly_right() -> None:
    assert verdict("equal", "linear").misplaced_share < 0.2
    assert verdict("clean", "linear").misplaced_share < verdict("clean", NO_MODEL).misplaced_share


def test_last_touch_pays_the_brand_search_of_those_who_had_decided() -> None:
    last = verdict("would_have_bought", "last_touch")
    assert played("would_have_bought", 400).truth.incremental["Paid Search"] == 0
    assert last.credited["Paid Search"] > 0.25 * sum(last.credited.values())
    assert last.misplaced_share > verdict("would_have_bought", "first_touch").misplaced_share


def test_passing_over_direct_helps_where_ads_are_not_clicked() -> None:
    assert verdict("direct_after_ads", "last_non_direct").misplaced_share < verdict("direct_after_ads", "last_touch").misplaced_share
    assert verdict("direct_after_ads", "last_touch").misplaced_share > verdict("clean", "last_touch").misplaced_share


def test_what_is_lost_is_told_as_uncredited() -> None:
    for name in ("lost_cookies", "late_closes"):
        assert played(name, 400).truth == played("clean", 400).truth
        assert played(name, 400).uncredited > 1.5 * played("clean", 400).uncredited


def test_people_who_buy_anyway_are_credited_too() -> None:
    found = played("would_have_bought", 400)
    caused = found.truth.customers - found.truth.anyway
    assert found.truth.customers - found.uncredited > 2 * caused
