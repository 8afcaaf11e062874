"""Decoding: every orientation once, every kind of picture to BGR, and what cannot be used is `BadPicture`."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from pipeline.errors import BadPicture
from pipeline.stages.decode import decode, orient
from pipeline.stages.picture_header import read_header

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not (SHARED / "bad_inputs").is_dir(), reason="../shared/data/bad_inputs is not there")


def scene(width: int = 120, height: int = 80) -> np.ndarray:
    """Blue top left, green top right, red bottom right, white bottom left: no turn or mirror looks like another."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:height // 2, :width // 2] = (255, 0, 0)
    picture[:height // 2, width // 2:] = (0, 255, 0)
    picture[height // 2:, width // 2:] = (0, 0, 255)
    picture[height // 2:, :width // 2] = (255, 255, 255)
    return picture


def pillow(picture: np.ndarray) -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1]))


def encoded(picture: Pillow.Image, kind: str, orientation: int | None = None) -> bytes:
    exif = Pillow.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    out = io.BytesIO()
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    picture.save(out, kind, exif=exif, **options)
    return out.getvalue()


# How Pillow itself says that each stored picture must be transposed to be seen upright, read backwards:
# the stored picture that orientation N describes is the upright one under the inverse transposition.
STORED = {
    1: None, 2: Pillow.Transpose.FLIP_LEFT_RIGHT, 3: Pillow.Transpose.ROTATE_180, 4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE, 6: Pillow.Transpose.ROTATE_90, 7: Pillow.Transpose.TRANSVERSE, 8: Pillow.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_exactly_once(kind: str, orientation: int) -> None:
    upright = scene()
    stored = pillow(upright)
    if STORED[orientation] is not None:
        stored = stored.transpose(STORED[orientation])
    photo = decode(encoded(stored, kind, orientation))
    assert (photo.width, photo.height) == (120, 80)
    assert photo.view.shape == (80, 120, 3)
    for y, x in ((10, 10), (10, 110), (70, 110), (70, 10)):
        assert np.abs(photo.view[y, x].astype(int) - upright[y, x]).max() < 40


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_outside_1_to_8_is_none(value: int) -> None:
    photo = decode(encoded(pillow(scene()), "JPEG", value))
    assert photo.view.shape == (80, 120, 3)
    assert photo.view[10, 10, 0] > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orient_keeps_every_pixel(orientation: int) -> None:
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    turned = orient(picture, orientation)
    assert sorted(turned.reshape(-1, 3).tolist()) == sorted(picture.reshape(-1, 3).tolist())
    assert turned.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(("width", "height", "view", "scale"), [
    (4000, 3000, (1500, 2000), 2.0),
    (3000, 4000, (2000, 1500), 2.0),
    (3999, 2999, (2999, 3999), 1.0),
    (2000, 1500, (1500, 2000), 1.0),
    (640, 480, (480, 640), 1.0),
    (8064, 6048, (1512, 2016), 4.0),
])
def test_a_jpeg_is_reduced_while_2000_pixels_stay(width: int, height: int, view: tuple[int, int], scale: float) -> None:
    ok, data = cv2.imencode(".jpg", np.full((height, width), 128, np.uint8))
    assert ok
    photo = decode(data.tobytes())
    assert photo.view.shape[:2] == view
    assert photo.scale == pytest.approx(scale, rel=1e-3)
    assert (photo.width, photo.height) == (width, height)


def test_another_long_side_reduces_further() -> None:
    _, data = cv2.imencode(".jpg", np.full((3000, 4000), 128, np.uint8))
    assert decode(data.tobytes(), long_side=1000).view.shape == (750, 1000, 3)


def test_a_large_png_is_reduced_after_decoding() -> None:
    _, data = cv2.imencode(".png", np.full((3000, 4000, 3), 77, np.uint8))
    photo = decode(data.tobytes())
    assert photo.view.shape == (1500, 2000, 3)
    assert photo.scale == 2.0
    assert (photo.view == 77).all()


@pytest.mark.parametrize(("name", "picture", "expected"), [
    ("grey", np.full((4, 4), 90, np.uint8), (90, 90, 90)),
    ("16 bit grey", np.full((4, 4), 0x5A00, np.uint16), (90, 90, 90)),
    ("16 bit colour", np.full((4, 4, 3), 0x5A00, np.uint16), (90, 90, 90)),
    ("opaque", np.full((4, 4, 4), (10, 20, 30, 255), np.uint8), (10, 20, 30)),
    ("transparent", np.full((4, 4, 4), (10, 20, 30, 0), np.uint8), (255, 255, 255)),
    ("half transparent black", np.full((4, 4, 4), (0, 0, 0, 127), np.uint8), (128, 128, 128)),
    ("16 bit transparent", np.full((4, 4, 4), (0, 0, 0, 0), np.uint16), (255, 255, 255)),
])
def test_every_png_becomes_8_bit_bgr(name: str, picture: np.ndarray, expected: tuple[int, int, int]) -> None:
    _, data = cv2.imencode(".png", picture)
    view = decode(data.tobytes()).view
    assert view.dtype == np.uint8
    assert view.shape == (4, 4, 3)
    assert tuple(int(v) for v in view[2, 2]) == expected, name


def test_grey_with_alpha_and_palette_and_cmyk() -> None:
    for kind, mode in (("PNG", "LA"), ("PNG", "P"), ("PNG", "1"), ("GIF", "P"), ("BMP", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"),
                       ("TIFF", "RGBA"), ("WEBP", "RGBA")):
        photo = decode(encoded(pillow(scene()).convert("RGB").convert(mode), kind))
        assert photo.view.shape == (80, 120, 3), (kind, mode)
        # the white quarter stays the brightest, the upper ones darker
        assert photo.view[70, 10].mean() > photo.view[10, 10].mean() + 50, (kind, mode)


def png_of_size(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(("data", "code"), [
    (b"", "bad_picture.format"),
    (b"hello, this is text", "bad_picture.format"),
    (b"%PDF-1.7\n", "bad_picture.format"),
    (b"\xff\xd8\xff\xd9", "bad_picture.format"),
    (png_of_size(50_000, 50_000), "bad_picture.too_large"),
    (png_of_size(0, 10), "bad_picture.damaged"),
    (png_of_size(10, 10), "bad_picture.damaged"),
    (b"GIF89a\xff\xff\xff\xff\x00\x00\x00", "bad_picture.too_large"),
])
def test_what_is_no_picture_says_so(data: bytes, code: str) -> None:
    with pytest.raises(BadPicture) as caught:
        decode(data)
    assert caught.value.code == code


def test_a_jpeg_cut_short_is_truncated_and_one_with_stray_bytes_is_read() -> None:
    rng = np.random.default_rng(1)
    _, coded = cv2.imencode(".jpg", rng.integers(0, 255, (200, 300, 3), dtype=np.uint8))
    data = coded.tobytes()
    with pytest.raises(BadPicture) as caught:
        decode(data[:len(data) * 2 // 3])
    assert caught.value.code == "bad_picture.truncated"
    assert decode(data + b"\x00" * 400).view.shape == (200, 300, 3)


def test_a_size_cap_of_the_callers_own() -> None:
    with pytest.raises(BadPicture, match="120 x 80"):
        decode(encoded(pillow(scene()), "JPEG"), max_pixels=9000)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0", b"GIF89a",
                                                 b"BM", b"\0\0\0\x1cftypavif", b"\0\0\0\x0cjP  \r\n\x87\n"]))
def test_no_bytes_crash_the_header(tail: bytes, magic: bytes) -> None:
    header = read_header(magic + tail)
    assert header is None or 1 <= header.orientation <= 8


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_changed_byte_gives_a_picture_or_bad_picture(at: int, value: int) -> None:
    data = bytearray(encoded(pillow(scene()), "JPEG", 6))
    data[at % len(data)] = value
    try:
        photo = decode(bytes(data), max_pixels=1_000_000)
    except BadPicture:
        return
    assert photo.view.ndim == 3
    assert photo.view.dtype == np.uint8


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("family", ["Landscape", "Portrait"])
def test_the_exif_samples_all_look_alike(family: str) -> None:
    folder = SHARED / "bad_inputs" / "exif"
    first = decode((folder / f"{family}_1.jpg").read_bytes())
    for orientation in range(9):
        photo = decode((folder / f"{family}_{orientation}.jpg").read_bytes())
        assert photo.view.shape == first.view.shape
        assert np.abs(photo.view.astype(np.int16) - first.view).mean() < 4


@pytest.mark.shared
@needs_shared
def test_bad_inputs_are_answered_and_never_crash() -> None:
    manifest = json.loads((SHARED / "manifest.json").read_text(encoding="utf-8"))
    files = [row for row in manifest if row["file"].startswith("bad_inputs/") and "expect" in row]
    assert len(files) > 50
    for row in files:
        data = (SHARED / row["file"]).read_bytes()
        answer = row["expect"].get("answer") if isinstance(row["expect"], dict) else None
        try:
            photo = decode(data)
        except BadPicture:
            assert answer != "accept", row["file"]
        else:
            assert photo.view.shape[2] == 3, row["file"]
