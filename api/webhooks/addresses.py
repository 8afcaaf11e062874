"""Which addresses a webhook may reach. Whoever registers a URL chooses whom this service calls: only the public internet.

The name is looked up once, for the connection itself, every address it has must be public, and one of these very addresses is
connected to: between a check and a use nothing can change.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

import anyio
import httpcore
from httpcore import AsyncNetworkBackend, AsyncNetworkStream

from pipeline.errors import BadInput

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Every address of a host, as text. Raises OSError where it has none."""
MAX_URL = 2000
NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address, which a gateway would reach for us."""
NOT_PUBLIC = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("fec0::/10"))
"""Local NAT64 (RFC 8215) and the old site-local addresses, which the standard library of some versions takes for public."""


class ForbiddenAddress(Exception):
    """The name leads to an address that is not public."""


def is_public(text: str) -> bool:
    """Whether the address belongs to the public internet, also where IPv6 wraps an IPv4 address."""
    address: IpAddress = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.teredo is not None or address.scope_id is not None or any(address in network for network in NOT_PUBLIC):
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_addresses(addresses: Iterable[str], allow_loopback: bool) -> None:
    """Raises `ForbiddenAddress` unless every one is public (or, if allowed, this machine's own loopback)."""
    for text in addresses:
        if not is_public(text) and not (allow_loopback and ipaddress.ip_address(text).is_loopback):
            raise ForbiddenAddress


def check_url(url: str, allow_loopback: bool) -> tuple[str, int]:
    """Host and port of a URL that a webhook may have. Raises `BadInput` (`bad_webhook_url`) that says what is wrong."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("the URL cannot be read") from None
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _bad(f"a URL has at most {MAX_URL} printable ASCII characters")
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http"):
        raise _bad("only https is called")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad("a URL names a host, and holds neither a user, a password nor a fragment")
    return host, port or (443 if parts.scheme == "https" else 80)


async def look_up(host: str, port: int) -> list[str]:
    """Every address of the host, by the system's resolver."""
    found = await anyio.getaddrinfo(host.rstrip("."), port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedBackend(AsyncNetworkBackend):
    """Connects to public addresses only, each by the address that was checked."""

    def __init__(self, allow_loopback: bool, resolve: Resolve = look_up, inner: AsyncNetworkBackend | None = None) -> None:
        self._allow_loopback, self._resolve, self._inner = allow_loopback, resolve, inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None,  # noqa: ASYNC109 (httpcore's signature)
        local_address: str | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Raises `ForbiddenAddress`; httpcore's `ConnectError` where no address answers."""
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            raise httpcore.ConnectError("the name has no address") from None
        check_addresses(addresses, self._allow_loopback)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


def _bad(detail: str) -> BadInput:
    return BadInput(detail, code="bad_webhook_url")
