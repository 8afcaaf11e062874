"""The multipart reader and the bounds, apart from the application."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.limits import MAX_KEYS, WINDOW_SECONDS, RateLimiter
from api.multipart import boundary_of
from api.problems import KINDS, Problem
from api.supports.form import INFO, MAX_INFO_BYTES, SupportForm, read_form
from api.supports.service import request_sha256
from pipeline.domain.capture import Part
from pipeline.domain.upload import MAX_PHOTO_BYTES, MAX_SIGNATURE_BYTES

CONTENTS = {"front": b"\xff\xd8--b\r\n--", "back": b"\r\n--boundar", "selfie": b"", "signature": bytes(range(256))}


def body(contents: dict[str, bytes], boundary: str = "boundary") -> bytes:
    request = httpx.Request("POST", "http://test", files=[(name, ("f", data)) for name, data in contents.items()],
                            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    return request.read()


def read(data: bytes, cuts: list[int] | None = None, boundary: bytes = b"boundary") -> SupportForm:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]

    async def chunks() -> AsyncIterator[bytes]:
        for start, end in pairwise(edges):
            yield data[start:end]

    async def run() -> SupportForm:
        return await read_form(chunks(), boundary)

    return anyio.run(run)


@given(st.lists(st.integers(0, 10_000), max_size=12))
@settings(deadline=None, max_examples=60)
def test_where_the_chunks_are_cut_does_not_matter(cuts: list[int]) -> None:
    form = read(body({**CONTENTS, INFO: b'{"gatherer": "A"}'}), cuts)
    assert {part.value: data for part, data in form.parts.items()} == CONTENTS
    assert form.info.gatherer == "A"


@given(st.binary(max_size=300), st.integers(0, 400), st.booleans())
@settings(deadline=None, max_examples=150)
def test_no_body_crashes_it(noise: bytes, at: int, boundary: bool) -> None:
    good = body(CONTENTS)
    try:
        read((b"--boundary\r\n" if boundary else b"") + good[:at] + noise + good[at:])
    except Problem as problem:
        assert 400 <= KINDS[problem.code][0] < 500


def test_a_body_cut_anywhere_is_refused() -> None:
    whole = body(CONTENTS)
    end = whole.rindex(b"--boundary--") + len(b"--boundary--")
    for length in range(0, end, 7):
        with pytest.raises(Problem):
            read(whole[:length])


@pytest.mark.parametrize(("name", "limit"), [("front", MAX_PHOTO_BYTES), ("signature", MAX_SIGNATURE_BYTES), (INFO, MAX_INFO_BYTES)])
def test_a_part_is_bounded_as_it_comes(name: str, limit: int) -> None:
    pulled = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pulled
        yield f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        while True:
            pulled += 65_536
            yield b"x" * 65_536

    async def run() -> None:
        await read_form(endless(), b"b")

    with pytest.raises(Problem, match="file_too_large"):
        anyio.run(run)
    assert pulled <= limit + 2 * 65_536


@pytest.mark.parametrize(("value", "expected"), [
    ("multipart/form-data; boundary=abc", b"abc"), ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
    (None, None), ("", None), ("multipart/mixed; boundary=abc", None), ("multipart/form-data", None),
    ("multipart/form-data; boundary=" + "b" * 71, None),
])
def test_the_boundary_comes_from_the_content_type(value: str | None, expected: bytes | None) -> None:
    if expected is None:
        with pytest.raises(Problem):
            boundary_of(value)
    else:
        assert boundary_of(value) == expected


def digest_of(form: SupportForm) -> str:
    """The request's, without a phone's proof."""
    return request_sha256(form, {part.value: hashlib.sha256(form.parts[part]).hexdigest() for part in Part}, None)


def _moved(changed: dict[str, bytes]) -> SupportForm:
    return read(body({**CONTENTS, **changed}))


@pytest.mark.parametrize("change", [
    lambda: _moved({"selfie": b"x"}), lambda: _moved({INFO: b'{"gatherer": "A"}'}),
    lambda: _moved({"front": b"", "selfie": CONTENTS["front"]}),
])
def test_any_change_changes_the_request_s_digest(change: Callable[[], SupportForm]) -> None:
    assert digest_of(change()) != digest_of(read(body(CONTENTS)))


def test_the_digest_is_of_what_is_said_not_how() -> None:
    one = read(body({**CONTENTS, INFO: b'{"gatherer": "\\u00c1", "process": "demo"}'}))
    two = read(body(dict(reversed([*CONTENTS.items(), (INFO, '{"process":"demo","gatherer":"Á"}'.encode())]))))
    assert digest_of(one) == digest_of(two)
    assert set(one.parts) == set(Part)


def test_a_window_counts_and_opens_again() -> None:
    now = [1_000.0 * WINDOW_SECONDS]
    limiter = RateLimiter(2, lambda: now[0])
    assert [limiter.take("a").remaining, limiter.take("a").remaining] == [1, 0]
    with pytest.raises(Problem, match="too_many_requests") as refusal:
        limiter.take("a")
    assert refusal.value.headers == {"Retry-After": str(WINDOW_SECONDS)}
    assert limiter.take("b").remaining == 1
    assert limiter.look("a").remaining == 0
    now[0] += WINDOW_SECONDS
    assert limiter.look("a").remaining == 2
    assert limiter.take("a").remaining == 1
    assert limiter.look("a").headers() == {"RateLimit-Policy": '"client";q=2;w=60', "RateLimit": '"client";r=1;t=60'}


def test_the_limiter_forgets_the_oldest() -> None:
    limiter = RateLimiter(2, lambda: 0.0)
    for number in range(MAX_KEYS + 1):
        limiter.take(str(number))
    assert limiter.look("0").remaining == 2
    assert limiter.look(str(MAX_KEYS)).remaining == 1
