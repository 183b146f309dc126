"""Sending: signatures that the library verifies, and receivers that fail, stall, throttle and want no more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import tables
from app.notices import delivery
from app.notices.delivery import SCHEDULE, with_jitter
from app.notices.receivers import change_receiver, load_receiver
from app.notices.running import forget_old, notifying
from tests.notices.conftest import World
from tests.notices.receiver import CLOSE, STALL

pytestmark = pytest.mark.anyio


async def test_a_message_is_signed_and_sent_once(world: World) -> None:
    await world.stage("e_ada", "lead", detail="demo")
    assert await world.tell() == 1
    (told,) = world.listener.taken
    assert world.listener.bad == []
    assert told.json == {
        "type": "stage_changed",
        "timestamp": world.clock().isoformat().replace("+00:00", "Z"),
        "data": {
            "person_id": "e_ada", "space": None, "deal_id": None, "stage": "lead", "moved_by": "form", "detail": "demo",
            "owner": None, "amount": None, "currency": None, "url": None,
        },
    }  # fmt: skip
    (row,) = await world.notices()
    assert (row.notice_id, row.delivered_at, row.tries) == (told.id, world.clock(), 1)
    world.clock.forward(days=1)
    assert await world.tell() == 0


async def test_a_receiver_that_fails_is_tried_for_three_days_with_the_same_message(world: World) -> None:
    await world.stage("e_ada", "lead")
    faults = [(500, {}), (CLOSE, {}), (STALL, {}), (302, {"location": "http://127.0.0.1:1/"}), (404, {}), (500, {}), (500, {}), (500, {}), (500, {})]
    world.listener.faults.extend(faults)
    assert await world.tell() == 1
    notice_id = world.listener.asked[0].id
    for number, wait in enumerate(SCHEDULE[1:], start=2):
        world.clock.forward(seconds=(with_jitter(wait, notice_id) - timedelta(seconds=0.1)).total_seconds())
        assert await world.tell() == 0, number
        world.clock.forward(seconds=0.2)
        assert await world.tell() == 1, number
        # The library holds signatures against the real clock, so only bodies and IDs are compared later on.
        world.listener.secret = None
    assert {(each.id, each.body) for each in world.listener.asked} == {(notice_id, world.listener.asked[0].body)}
    assert len(world.listener.taken) == 1
    (row,) = await world.notices()
    assert (row.tries, row.delivered_at is not None, row.given_up_at) == (10, True, None)


async def test_what_is_never_taken_is_given_up_and_shown(world: World) -> None:
    await world.stage("e_ada", "lead")
    world.listener.secret = None
    world.listener.faults.extend([(500, {})] * 20)
    for _ in SCHEDULE:
        await world.tell()
        world.clock.forward(hours=30)
    await world.tell()
    assert len(world.listener.asked) == len(SCHEDULE)
    (row,) = await world.notices()
    assert (row.tries, row.delivered_at, row.given_up_at is not None, row.last_error) == (10, None, True, "it answered 500")


async def test_410_disables_the_endpoint_until_somebody_enables_it(world: World) -> None:
    await world.stage("e_ada", "lead")
    await world.stage("e_bob", "lead", fact_id="f2")
    world.listener.faults.append((410, {}))
    assert await world.tell() == 1
    world.clock.forward(days=1)
    assert await world.tell() == 0
    async with world.database.write() as connection:
        stopped = await load_receiver(connection, "default", "ours")
        assert (stopped.disabled_at is not None, stopped.disabled_because) == (True, "it answered 410: it wants nothing more")
        await change_receiver(connection, "default", "ours", {"disabled": False}, world.clock())
    world.listener.secret = None
    assert await world.tell() == 2


@pytest.mark.parametrize(("status", "headers", "seconds"), [(429, {"retry-after": "600"}, 600), (503, {}, 60), (504, {"retry-after": "nonsense"}, 60)])
async def test_a_receiver_that_asks_for_a_pause_gets_it_for_everything(world: World, status: int, headers: dict[str, str], seconds: int) -> None:
    for number in range(3):
        await world.stage(f"e_{number}", "lead", fact_id=f"f{number}")
    world.listener.secret = None
    world.listener.faults.append((status, headers))
    assert await world.tell() == 1
    world.clock.forward(seconds=seconds - 1)
    assert await world.tell() == 0
    world.clock.forward(seconds=2)
    assert await world.tell() == 3
    assert len({each.id for each in world.listener.taken}) == 3


async def test_a_private_address_is_not_called(world: World) -> None:
    await world.stage("e_ada", "lead")
    careful = delivery.Notifier(world.database, allow_private=False, clock=world.clock)
    answer = await delivery.send_test(careful, world.receiver)
    assert (answer.status, "private address" in (answer.error or "")) == (None, True)
    assert world.listener.asked == []


async def test_both_secrets_sign_while_they_are_exchanged(world: World) -> None:
    old = world.listener.secret
    async with world.database.write() as connection:
        changed = await change_receiver(connection, "default", "ours", {"secret": None}, world.clock())
    assert changed.secrets == (changed.secrets[0], old)
    for secret, person in zip(changed.secrets, ("e_ada", "e_bob"), strict=True):
        world.listener.secret = secret
        await world.stage(person, "lead", fact_id=person)
        assert await world.tell() == 1
    assert len(world.listener.taken) == 2


async def test_what_was_leased_by_a_process_that_died_is_sent_when_the_lease_is_over(world: World) -> None:
    await world.stage("e_ada", "lead")
    await delivery_without_end(world)
    assert await world.tell() == 0
    world.clock.forward(seconds=delivery.LEASE.total_seconds() + 1)
    world.listener.secret = None
    assert await world.tell() == 1
    (told,) = world.listener.taken
    assert told.id == (await world.notices())[0].notice_id


async def delivery_without_end(world: World) -> None:
    """A process that dies between leasing and sending: it leases, and nothing more is heard of it."""
    from app.notices.finding import find_notices

    await find_notices(world.database, world.clock())
    leased = await delivery._lease(world.notifier, world.receiver, world.clock(), world.clock() + delivery.LEASE)
    assert len(leased) == 1


async def test_a_lease_that_ran_out_cannot_undo_what_another_process_noted(world: World) -> None:
    await world.stage("e_ada", "lead")
    await delivery_without_end(world)
    until = world.clock() + delivery.LEASE
    world.clock.forward(seconds=delivery.LEASE.total_seconds() + 1)
    world.listener.secret = None
    assert await world.tell() == 1
    (row,) = await world.notices()
    late = delivery._Leased(row.notice_id, row.kind, row.person_id, row.body, 0)
    await delivery._settle(world.notifier, world.receiver, late, delivery.Answer(500, "too late"), until)
    assert (await world.notices())[0] == row


async def test_stopping_gives_back_what_is_under_way(world: World) -> None:
    await world.stage("e_ada", "lead")
    world.listener.faults.append((STALL, {}))
    async with notifying(delivery.Notifier(world.database, allow_private=True, seconds=30, clock=world.clock)):
        for _ in range(1_000):
            if world.listener.asked:
                break
            await asyncio.sleep(0.01)
    (row,) = await world.notices()
    assert (row.tries, row.next_try_at) == (0, world.clock())


async def test_the_service_tells_by_itself(world: World) -> None:
    async with notifying(world.notifier):
        await world.stage("e_ada", "lead")
        world.clock.forward(seconds=6)
        for _ in range(500):
            if world.listener.taken:
                break
            await asyncio.sleep(0.01)
    assert len(world.listener.taken) == 1


async def test_what_was_taken_is_forgotten_after_30_days_and_not_told_again(world: World) -> None:
    await world.stage("e_ada", "lead")
    await world.tell()
    assert await forget_old(world.notifier, world.clock() + timedelta(days=29)) == 0
    world.clock.forward(days=31)
    assert await forget_old(world.notifier, world.clock()) == 1
    assert (await world.tell(), await world.notices()) == (0, [])


async def test_what_was_erased_while_it_waited_is_not_sent(world: World) -> None:
    await world.stage("e_ada", "lead")
    world.listener.faults.append((500, {}))
    await world.tell()
    async with world.database.write() as connection:
        await connection.execute(update(tables.notices).values(body="{}"))
    world.clock.forward(minutes=1)
    await world.tell()
    assert len(world.listener.asked) == 1
    assert [row.delivered_at is not None for row in await world.rows(select(tables.notices))] == [True]
