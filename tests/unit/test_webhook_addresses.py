"""Whom a webhook may reach: the public internet, by the very address that was checked."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import httpcore
import pytest

from api.webhooks.addresses import ForbiddenAddress, GuardedBackend, check_url, is_public, look_up
from pipeline.errors import BadInput

PRIVATE = """127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.2.1 198.18.0.1
    224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
    64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: 2001::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1""".split()
PUBLIC = ["8.8.8.8", "1.1.1.1", "189.240.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]


@pytest.mark.parametrize(("address", "public"), [(one, False) for one in PRIVATE] + [(one, True) for one in PUBLIC])
def test_only_the_public_internet_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("url", [
    "http://example.org/", "ftp://example.org/", "https://", "https:///x", "https://user@example.org/", "https://u:p@example.org/",
    "https://example.org/#x", "https://example.org:99999/", "https://ex ample.org/", "https://ejemplo.méx/", "example.org", "",
    "https://[::1/", "https://example.org/\n", "https://a\\@127.0.0.1/", "https://example.org/" + "x" * 2000, "file:///etc/passwd"])
def test_a_url_that_is_not_one_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_url(url, allow_loopback=False)
    assert caught.value.code == "bad_webhook_url"


@pytest.mark.parametrize(("url", "place"), [
    ("https://example.org", ("example.org", 443)), ("https://EXAMPLE.org:8443/a?b=c", ("example.org", 8443)),
    ("https://[2606:4700::1111]/", ("2606:4700::1111", 443))])
def test_a_url_names_its_place(url: str, place: tuple[str, int]) -> None:
    assert check_url(url, allow_loopback=False) == place


class Recording(httpcore.AsyncNetworkBackend):
    """Connects nowhere, and keeps to which address it was to."""

    def __init__(self, dead: Iterable[str] = ()) -> None:
        self.asked: list[str] = []
        self._dead = set(dead)

    async def connect_tcp(self, host: str, port: int, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host in self._dead:
            raise httpcore.ConnectError("dead")
        return httpcore.AsyncMockStream([])


def connect(addresses: list[list[str]], allow_loopback: bool = False, dead: Iterable[str] = ()) -> list[str]:
    """Which addresses are connected to where the name has these, a list a look-up."""
    inner, left = Recording(dead), list(addresses)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0)

    anyio.run(GuardedBackend(allow_loopback, resolve, inner).connect_tcp, "rebinding.example", 443)
    return inner.asked


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["::ffff:127.0.0.1"]])
def test_one_address_that_is_not_public_is_one_too_many(addresses: list[str]) -> None:
    with pytest.raises(ForbiddenAddress):
        connect([addresses])


def test_the_name_is_looked_up_once_and_the_checked_address_is_connected_to() -> None:
    """A name that turns from public to private between a check and a use finds no such moment."""
    assert connect([["8.8.8.8"], ["127.0.0.1"]]) == ["8.8.8.8"]
    with pytest.raises(ForbiddenAddress):
        connect([["127.0.0.1"], ["8.8.8.8"]])


def test_further_addresses_are_tried_and_loopback_is_allowed_only_where_it_is() -> None:
    assert connect([["8.8.8.8", "1.1.1.1"]], dead=["8.8.8.8"]) == ["8.8.8.8", "1.1.1.1"]
    assert connect([["127.0.0.1"]], allow_loopback=True) == ["127.0.0.1"]
    with pytest.raises(ForbiddenAddress):
        connect([["10.0.0.1"]], allow_loopback=True)


@pytest.mark.parametrize("host", ["127.1", "0", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1", "localhost"])
def test_every_spelling_of_this_machine_is_seen_through(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        anyio.run(GuardedBackend(False, look_up, Recording()).connect_tcp, host, 443)
