"""Whom the service may call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from app.outgoing import PrivateAddress, is_public, outgoing_client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "192.0.2.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_called(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "104.16.1.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"])
def test_addresses_that_are_called(address: str) -> None:
    assert is_public(address)


class _Redirects(BaseHTTPRequestHandler):
    """Answers 302 to wherever `?to=` says (`/loop`: to itself), else 200."""

    def do_GET(self) -> None:
        _, _, to = ("", "", "/loop") if self.path == "/loop" else self.path.partition("?to=")
        self.send_response(302 if to else 200)
        if to:
            self.send_header("location", to)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Redirects) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


async def test_a_private_address_is_called_only_where_the_settings_say_so(server: int) -> None:
    for url in (f"http://127.0.0.1:{server}/", f"http://localhost:{server}/", f"http://[::ffff:127.0.0.1]:{server}/"):
        async with outgoing_client(allow_private=False) as client:
            with pytest.raises(PrivateAddress, match="CLOSEDLOOP_ALLOW_PRIVATE_ADDRESSES"):
                await client.get(url)
    async with outgoing_client(allow_private=True) as client:
        assert (await client.get(f"http://127.0.0.1:{server}/")).status_code == 200


async def test_the_address_that_was_checked_is_the_one_that_is_called(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to something public first, and to something private when asked again."""
    answers = iter(["203.0.113.7", "127.0.0.1"])
    asked: list[str] = []

    async def getaddrinfo(_self: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr("app.outgoing.is_public", lambda address: address != "127.0.0.1")
    connected: list[str] = []

    async def connect_tcp(_self: Any, host: str, *_: Any) -> Any:
        connected.append(host)
        raise __import__("httpcore").ConnectError("nobody there")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect_tcp)
    monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", getaddrinfo)
    async with outgoing_client(allow_private=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://crm.example:{server}/")
        assert (asked, connected) == (["crm.example"], ["203.0.113.7"])
        with pytest.raises(PrivateAddress):
            await client.get(f"http://crm.example:{server}/")
    assert connected == ["203.0.113.7"]


async def test_a_redirect_is_checked_too(server: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.outgoing.is_public", lambda address: address == "127.0.0.1")
    async with outgoing_client(allow_private=False, follow_redirects=True) as client:
        assert (await client.get(f"http://127.0.0.1:{server}/?to=http://127.0.0.1:{server}/")).status_code == 200
        with pytest.raises(PrivateAddress):
            await client.get(f"http://127.0.0.1:{server}/?to=http://127.0.0.2:{server}/")
        with pytest.raises(httpx.TooManyRedirects):
            await client.get(f"http://127.0.0.1:{server}/loop")


async def test_a_name_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async with outgoing_client(allow_private=False, seconds=5) as client:
        with pytest.raises(httpx.ConnectError, match="cannot be resolved"):
            await client.get("http://nowhere.invalid/")
