"""The S3 store against a real server that is reached through a proxy which misbehaves: never true for what is not kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from benchmarks.chaos.nemesis import FAULTS, Nemesis
from benchmarks.chaos.servers import S3Server
from pipeline.blobs.s3 import S3Store
from pipeline.errors import Conflict, Misconfigured, NotFound, Unavailable
from tests.contract.s3_places import place_in

DATA = bytes(range(256)) * 80


@pytest.fixture
def nemesis(s3: S3Server) -> Iterator[Nemesis]:
    s3.empty()
    with Nemesis(s3.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.blobs.s3.SILENCE_SECONDS", 1.0)
    monkeypatch.setattr("pipeline.blobs.s3.READ_SECONDS", 2.0)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_put_is_true_only_for_what_is_kept(s3: S3Server, nemesis: Nemesis, fault: str) -> None:
    store = S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
    nemesis.strike(fault)
    start = time.monotonic()
    try:
        said = store.put_if_absent("one/front.1", DATA)
    except Unavailable:
        said = False
    assert time.monotonic() - start < 10, "it ends by itself"
    assert said is (fault in ("cut", "drip", "etag")), "these touch no put, or only the name of its checksum"
    nemesis.strike()
    try:
        kept = store.get("one/front.1")
    except NotFound:
        kept = None
    assert kept == DATA if said else kept in (None, DATA, DATA[:len(DATA) // 2])
    assert nemesis.fired[fault] >= (fault not in ("cut", "drip"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_get_gives_the_object_or_says_that_it_cannot(s3: S3Server, nemesis: Nemesis, fault: str) -> None:
    store = S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
    store.put_if_absent("one/front.1", DATA)
    nemesis.strike(fault)
    start = time.monotonic()
    if fault in ("lie", "etag"):  # the first touches no get; a wrong checksum each time leaves the judgement to the seal
        assert store.get("one/front.1") == DATA
    elif fault == "short":  # each time the same: it may as well lie there so
        assert store.get("one/front.1") == DATA[:len(DATA) // 2]
    else:
        with pytest.raises(Unavailable):
            store.get("one/front.1")
    assert time.monotonic() - start < 10
    assert nemesis.fired[fault] >= (fault != "lie")
    nemesis.strike()
    assert store.get("one/front.1") == DATA, "well again without a restart"


def test_no_address_is_signed_for_a_store_that_takes_other_bytes_than_were_announced(s3: S3Server, nemesis: Nemesis) -> None:
    store = S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
    nemesis.strike("lie")  # 200 to whatever is put
    with pytest.raises(Conflict) as refused:
        store.signed_put("one/front.1", 1, "00" * 32, timedelta(minutes=1))
    assert refused.value.code == "direct_upload_unavailable"


def test_trouble_while_a_store_is_tried_says_nothing_of_it(s3: S3Server, nemesis: Nemesis) -> None:
    store = S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
    nemesis.strike("error")
    with pytest.raises(Unavailable):
        store.signed_put("one/front.1", 1, "00" * 32, timedelta(minutes=1))
    nemesis.strike()
    assert store.signed_put("one/front.1", 1, "00" * 32, timedelta(minutes=1)).headers["Content-Length"] == "1"


def test_an_object_that_arrives_short_once_is_read_again(s3: S3Server) -> None:
    with Nemesis(s3.port, seed=3) as nemesis:
        store = S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
        store.put_if_absent("one/front.2", DATA)
        nemesis.strike("short", share=0.3)
        assert [store.get("one/front.2") == DATA for _ in range(20)].count(False) <= 2
        assert nemesis.fired["short"] >= 3


def test_an_s3_that_cannot_keep_the_promise_is_not_started_with(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match="no bucket"):
        S3Store.open(place_in(s3, bucket="another"))
    with pytest.raises(Misconfigured, match="refuses"):
        S3Store.open(place_in(s3, secret="wrong-secret-of-no-use"))
    with pytest.raises(Unavailable):
        S3Store.open(place_in(s3, endpoint="http://127.0.0.1:9"))
    for endpoint in ("s3.example:9000", "ftp://x", "https://", "https://key@host", "https://host/path"):
        with pytest.raises(Misconfigured):
            place_in(s3, endpoint=endpoint)


def test_a_store_that_overwrites_is_found_out(s3: S3Server) -> None:
    with Nemesis(s3.port) as nemesis:
        nemesis.dropped = ("if-none-match",)
        with pytest.raises(Misconfigured) as caught:
            S3Store.open(place_in(s3, endpoint=nemesis.endpoint))
    assert caught.value.code == "s3_not_conditional"
