"""Calls of the service to others: with time limits, and never to a private address unless the settings allow it.

An address that a user set may lead into the network that the service stands in, and so may the name of a host, or an
answer that redirects. So the check is made where a connection begins: the host is resolved, each of its addresses is
checked, and the connection goes to the very address that passed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, gaierror
from typing import Any

import httpcore
import httpx

CONNECT_SECONDS = 10.0
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last 32 bits are an IPv4 address."""


class PrivateAddress(Exception):
    """The host is at a private address, and the settings do not allow to call one."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host[:200]!r} is at a private address; CLOSEDLOOP_ALLOW_PRIVATE_ADDRESSES=1 lets the service call it")


def outgoing_client(*, allow_private: bool, seconds: float = 30.0, follow_redirects: bool = False, **kwargs: Any) -> httpx.AsyncClient:
    """A client for calls to others. `seconds` bounds each wait for data; further arguments are `httpx.AsyncClient`'s.

    Raises what httpx raises, and PrivateAddress. The environment's proxies are not used: they would connect where
    nothing is checked.
    """
    return httpx.AsyncClient(
        transport=_CheckedTransport(allow_private=allow_private),
        timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        follow_redirects=follow_redirects,
        max_redirects=5,
        trust_env=False,
        **kwargs,
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; read once, because it takes longer than many a call."""
    return httpx.create_ssl_context()


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """The ordinary transport, over connections that are checked as they begin: each redirect's too."""

    def __init__(self, *, allow_private: bool) -> None:
        super().__init__(verify=_certificates(), trust_env=False)
        if not allow_private:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=_certificates(),
                max_connections=20,
                max_keepalive_connections=5,
                keepalive_expiry=5.0,
                network_backend=_CheckedNetwork(),
            )


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only."""

    def __init__(self) -> None:
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first public address of the host that takes one. The certificate is still the host's."""
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        try:
            async with asyncio.timeout(timeout):
                addresses = await _public_addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from None
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a socket file is this machine's own."""
        raise PrivateAddress(path)

    async def sleep(self, seconds: float) -> None:
        """As any network's."""
        await self._network.sleep(seconds)


async def _public_addresses(host: str, port: int) -> list[str]:
    """The host's addresses that may be called, in the resolver's order. PrivateAddress if it has no other."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    except (gaierror, UnicodeError):
        raise httpcore.ConnectError(f"{host} cannot be resolved") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [address for address in addresses if is_public(address)]
    if addresses and not allowed:
        raise PrivateAddress(host)
    return allowed


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's: not private, loopback, link-local, multicast or reserved."""
    parsed = ip_address(address)
    reached = _embedded(parsed) or parsed if isinstance(parsed, IPv6Address) else parsed
    return reached.is_global and not reached.is_multicast and not reached.is_reserved


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which a gateway, or the system itself, would carry what is sent to this one."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
