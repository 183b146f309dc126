"""How the application answers when something goes wrong: problem+json, without details that are nobody's business."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Body, FastAPI
from pydantic import AfterValidator
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import Conflict
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-in-the-wrong-place"
FAILURES = {
    "conflict": Conflict("There is one already."),
    "disk-full": OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")),
    "pool": PoolTimeout("QueuePool limit reached"),
    "refused": ConnectionRefusedError(111, "Connect call failed"),
    "bug": RuntimeError(SECRET),
    "bad-statement": IntegrityError("INSERT", {}, sqlite3.IntegrityError(SECRET)),
}


@pytest.fixture
def app() -> FastAPI:
    """The application with doors that fail in every way; no database is needed for that."""
    made = create_app(Settings(_env_file=None, max_batch_bytes=100), run_pipeline=False)

    @made.get("/fails/{how}")
    async def fail(how: str) -> None:
        raise FAILURES[how]

    @made.post("/echo")
    async def echo(number: int, body: Annotated[dict[str, int], Body()]) -> int:
        return number + len(body)

    @made.get("/echo/even")
    async def even(number: Annotated[int, AfterValidator(_even)]) -> int:
        return number

    return made


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("an even number is needed")
    return number


@pytest.fixture
async def caller(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://closedloop.example") as opened:
        yield opened


@pytest.mark.parametrize(
    ("how", "status"), [("conflict", 409), ("disk-full", 503), ("pool", 503), ("refused", 503), ("bug", 500), ("bad-statement", 500)]
)
async def test_a_failure_is_a_problem(caller: httpx.AsyncClient, how: str, status: int) -> None:
    answer = await caller.get(f"/fails/{how}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert SECRET not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere", "", 404),
        ("DELETE", "/echo", "", 405),
        ("POST", "/echo?number=1", "{", 400),
        ("POST", f"/echo?number={SECRET}", "{}", 422),
        ("POST", "/echo?number=1", f'{{"{SECRET}": "{SECRET}"}}', 422),
        ("POST", "/echo?number=1", "[]", 422),
        ("POST", "/echo?number=1", " " * 101, 413),
    ],
)
async def test_a_bad_request_is_a_problem(caller: httpx.AsyncClient, method: str, path: str, body: str, status: int) -> None:
    answer = await caller.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    values = {error["what"] for error in answer.json().get("errors", [])}
    assert not any(SECRET in value for value in values)


async def test_a_wrong_value_is_told_in_our_own_words(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/echo/even?number=3")
    assert answer.json()["detail"] == "query.number: an even number is needed"
    assert answer.json()["errors"] == [{"where": "query.number", "what": "an even number is needed"}]


async def test_a_body_of_unknown_length_is_cut_off(caller: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 10_000:
            read += 50
            yield b" " * 50

    answer = await caller.post("/echo?number=1", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_largest_body_is_taken(caller: httpx.AsyncClient) -> None:
    body = "{}" + " " * 98
    answer = await caller.post("/echo?number=1", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, 1)


async def test_the_front_page_leads_to_the_documentation(caller: httpx.AsyncClient) -> None:
    answer = await caller.get("/", follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/docs")


async def test_the_documentation_needs_no_other_host(caller: httpx.AsyncClient) -> None:
    page = (await caller.get("/docs")).text
    needed = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {name.rsplit(".", 1)[-1] for name in needed} >= {"js", "css"}
    for address in needed:
        assert address.startswith("/"), f"{address} is somebody else's"
        assert (await caller.get(address)).status_code == 200


async def test_the_documentation_asks_for_a_key_where_one_is_needed(caller: httpx.AsyncClient) -> None:
    described = (await caller.get("/openapi.json")).json()
    assert described["components"]["securitySchemes"]["SecretKey"]["scheme"] == "bearer"
    asks = {path for path, methods in described["paths"].items() if any("security" in operation for operation in methods.values())}
    assert {"/v1/reports/attribution", "/v1/sites", "/v1/people/unlink"} <= asks
    assert not {"/healthz", "/readyz", "/loop.js"} & asks


async def test_every_door_is_documented(caller: httpx.AsyncClient) -> None:
    described = (await caller.get("/openapi.json")).json()
    tags = {tag["name"] for tag in described["tags"]}
    for path, methods in described["paths"].items():
        if not path.startswith(("/echo", "/fails")):
            for method, operation in methods.items():
                assert operation.get("description"), f"{method} {path} says nothing of itself"
                assert set(operation.get("tags", [])) <= tags, f"{method} {path} has a tag that is not described"
                assert operation.get("tags"), f"{method} {path} has no tag"
                refusals = {status: answer["content"].keys() for status, answer in operation["responses"].items() if status >= "4"}
                assert refusals == {"4XX": {"application/problem+json"}}, f"{method} {path} documents other refusals than it gives"
