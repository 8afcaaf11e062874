"""Pictures drawn to hurt a decoder: what the door lets in costs a worker little, whatever is in it."""

from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.security.decoding import CPU_SECONDS, decode_all
from benchmarks.security.pictures import (
    Hostile,
    chunk,
    exif_loop,
    hostile_pictures,
    noise,
    png,
    progressive,
    text_bomb,
    zeros,
)
from pipeline.domain.capture import Part
from pipeline.domain.jpeg_markers import exif_orientation
from pipeline.domain.upload import MAX_COEFFICIENT_BYTES, check_upload
from pipeline.errors import BadPicture, BadUpload
from pipeline.stages.decode import decode
from pipeline.stages.picture_header import read_header
from pipeline.stages.png_pixels import only_pixels


def test_each_is_refused_or_decoded_in_bounded_memory_and_time() -> None:
    assert [row for row in decode_all() if not row.good] == []
    assert CPU_SECONDS < 20


@pytest.mark.parametrize("name", [name for name, one in hostile_pictures().items() if one.code is not None])
def test_what_is_refused_is_refused_by_its_code(name: str) -> None:
    hostile: Hostile = hostile_pictures()[name]
    with pytest.raises(BadUpload) as refusal:
        check_upload(Part(hostile.part), hostile.data)
    assert refusal.value.code == hostile.code


@pytest.mark.parametrize(("size", "inks", "taken"), [(4_900, 3, True), (5_400, 3, False), (8_000, 1, True), (6_000, 4, False)])
def test_a_progressive_jpeg_is_as_large_as_its_coefficients(size: int, inks: int, taken: bool) -> None:
    """64 coefficients of two bytes for each block of each ink, by hand."""
    data = progressive(size, size, (0x11,) * inks, 4)
    assert ((size // 8) ** 2 * inks * 128 <= MAX_COEFFICIENT_BYTES) is taken
    if taken:
        assert check_upload(Part.FRONT, data).width == size
        return
    with pytest.raises(BadUpload, match="progressive"):
        check_upload(Part.FRONT, data)


def chunks_of(data: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(data):
        found.append(data[at + 4:at + 8])
        at += 12 + int.from_bytes(data[at:at + 4], "big")
    return found


def test_only_chunks_that_make_pixels_reach_the_decoder() -> None:
    extra = [text_bomb(1), chunk(b"iCCP", b"p\x00\x00" + zeros(1 << 20)), chunk(b"acTL", bytes(8)), chunk(b"eXIf", b"II*\x00"),
             chunk(b"tRNS", b"\x00\x00" * 3)]
    assert chunks_of(only_pixels(png(8, 8, *extra, colour=2))) == [b"IHDR", b"tRNS", b"IDAT", b"IEND"]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("over", "taken"), [(0, True), (1_000, True), (3 << 20, False)])
def test_data_past_the_last_line_is_damage(interlaced: bool, over: int, taken: bool) -> None:
    width, height = 1_999, 1_003
    rows = [(1_999, 1_003)] if not interlaced else [(250, 126), (250, 126), (500, 125), (500, 251), (1_000, 251), (999, 502), (1_999, 501)]
    body = zlib.compress(noise(sum(high * (1 + 4 * wide) for wide, high in rows) + over), 0)
    data = png(width, height, body=body, interlace=int(interlaced))
    if taken:
        assert only_pixels(data) == data
        return
    with pytest.raises(BadPicture, match="more data"):
        only_pixels(data)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P", "1", "I;16"])
def test_a_png_is_the_same_picture_without_the_rest(mode: str) -> None:
    """By what the decoder makes of the whole file."""
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 255, (150, 211, 4), dtype=np.uint8), "RGBA")
    image = Image.fromarray(rng.integers(0, 65_535, (150, 211), dtype=np.uint16)) if mode == "I;16" else image.convert("RGB" if mode == "P" else mode).convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=None, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00")
    data = out.getvalue()
    assert b"eXIf" in data
    whole, cut = (cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_UNCHANGED) for one in (data, only_pixels(data)))
    np.testing.assert_array_equal(whole, cut)
    if mode in ("RGB", "L", "1", "P"):
        np.testing.assert_array_equal(decode(data).view, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 200), st.integers(1, 60))
def test_no_damage_to_a_png_breaks_the_cut(noise_: bytes, at: int, drop: int) -> None:
    data = png(16, 16, chunk(b"tEXt", b"a\x00b"), body=zlib.compress(noise(1_056)))
    spoiled = data[:8 + at] + noise_ + data[8 + at + drop:]
    if read_header(spoiled) is None:
        return
    try:
        kept = only_pixels(spoiled)
    except BadPicture:
        return
    assert len(kept) <= len(spoiled)
    assert not {b"tEXt", b"zTXt", b"iCCP"} & set(chunks_of(kept))


@given(st.binary(max_size=400), st.sampled_from([b"", b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08", b"II*\x00\xff\xff\xff\xff"]))
def test_any_exif_is_an_orientation_or_none(tail: bytes, head: bytes) -> None:
    assert exif_orientation(b"Exif\x00\x00" + head + tail) in {None, *range(1, 9)}


def test_an_exif_that_leads_to_itself_says_nothing() -> None:
    assert exif_orientation(exif_loop()[4:]) is None
