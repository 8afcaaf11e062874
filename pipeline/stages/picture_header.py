"""What the first bytes of a picture file say: format, size in pixels, EXIF orientation. No pixels are decoded.

Formats after their public specifications: JPEG ITU-T T.81, Exif 2.3 (CIPA DC-008), PNG (W3C), WebP (RFC 9649), TIFF 6.0,
ISO BMFF (`ispe`), JPEG 2000 (`ihdr`). A damaged EXIF block means orientation 1, never an error: phones write many.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

ORIENTATION_TAG = 0x0112
WIDTH_TAG, HEIGHT_TAG = 0x0100, 0x0101
_EXIF = b"Exif\x00\x00"
_MAX_ENTRIES = 4096
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG start-of-frame markers: all of C0-CF but DHT, JPG and DAC."""


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """width, height: as stored, before `orientation` (1..8, Exif) is applied."""

    format: Literal["jpeg", "png", "webp", "tiff", "gif", "bmp", "avif", "jp2"]
    width: int
    height: int
    orientation: int = 1


def read_header(data: bytes) -> PictureHeader | None:
    """The header, or None where the bytes are no picture of a known format or are damaged before their size."""
    try:
        return _read(data)
    except (struct.error, IndexError):
        return None


def _read(data: bytes) -> PictureHeader | None:
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        width, height = struct.unpack(">II", data[16:24])
        return PictureHeader("png", width, height, _png_orientation(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] in {b"II*\x00", b"MM\x00*"}:
        tags = tiff_tags(data, (WIDTH_TAG, HEIGHT_TAG, ORIENTATION_TAG))
        return PictureHeader("tiff", tags.get(WIDTH_TAG, 0), tags.get(HEIGHT_TAG, 0), _valid(tags.get(ORIENTATION_TAG, 1)))
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return PictureHeader("gif", *_gif_size(data))
    if data[:2] == b"BM":
        width, height = struct.unpack("<ii", data[18:26])
        return PictureHeader("bmp", abs(width), abs(height))
    if data[4:12] in {b"ftypavif", b"ftypavis"} or (data[4:8] == b"ftyp" and b"avif" in data[8:40]):
        return _boxed(data, "avif", b"ispe", 8)
    if data[:12] == b"\x00\x00\x00\x0cjP  \r\n\x87\n":
        return _boxed(data, "jp2", b"ihdr", 4)
    return None


def _valid(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def tiff_tags(block: bytes, wanted: tuple[int, ...]) -> dict[int, int]:
    """First values of those SHORT or LONG tags in a TIFF block's first directory; what is damaged is left out."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    found: dict[int, int] = {}
    if order is None or len(block) < 8 or struct.unpack(order + "H", block[2:4])[0] != 42:
        return found
    (start,) = struct.unpack(order + "I", block[4:8])
    if start + 2 > len(block):
        return found
    (count,) = struct.unpack(order + "H", block[start:start + 2])
    for index in range(min(count, _MAX_ENTRIES)):
        entry = block[start + 2 + 12 * index:start + 14 + 12 * index]
        if len(entry) < 12:
            break
        tag, kind, _length = struct.unpack(order + "HHI", entry[:8])
        if tag in wanted and kind in (3, 4):
            found[tag] = struct.unpack(order + ("H" if kind == 3 else "I"), entry[8:10] if kind == 3 else entry[8:12])[0]
    return found


def _jpeg(data: bytes) -> PictureHeader | None:
    """Walks the markers up to the first scan; the first EXIF block that gives an orientation counts."""
    orientation, at = 0, 2
    size: tuple[int, int] | None = None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker in (0xFF, 0x00) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):
            break
        (length,) = struct.unpack(">H", data[at + 2:at + 4])
        if marker == 0xE1 and not orientation and data[at + 4:at + 10] == _EXIF:
            block = data[at + 10:at + 2 + length]
            tag = tiff_tags(block, (ORIENTATION_TAG,)).get(ORIENTATION_TAG, 0)
            orientation = tag if 1 <= tag <= 8 else 0
        elif marker in _FRAMES and size is None:
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            size = (width, height)
        at += 2 + max(length, 2)
    return None if size is None else PictureHeader("jpeg", size[0], size[1], orientation or 1)


def _png_orientation(data: bytes) -> int:
    at = 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at:at + 4])
        kind = data[at + 4:at + 8]
        if kind == b"eXIf":
            return _valid(tiff_tags(data[at + 8:at + 8 + length], (ORIENTATION_TAG,)).get(ORIENTATION_TAG, 1))
        if kind == b"IEND":
            break
        at += 12 + length
    return 1


def _webp(data: bytes) -> PictureHeader | None:
    width = height = 0
    orientation, at = 1, 12
    while at + 8 <= len(data):
        kind, (length,) = data[at:at + 4], struct.unpack("<I", data[at + 4:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"VP8X":
            width, height = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack("<HH", body[6:10]))
        elif kind == b"VP8L" and not width:
            bits = int.from_bytes(body[1:5], "little")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            block = body[6:] if body[:6] == _EXIF else body
            orientation = _valid(tiff_tags(block, (ORIENTATION_TAG,)).get(ORIENTATION_TAG, 1))
        at += 8 + length + (length & 1)
    return PictureHeader("webp", width, height, orientation) if width else None


def _gif_size(data: bytes) -> tuple[int, int]:
    """The larger of the logical screen and the first frame: either may be what a decoder allocates."""
    width, height = struct.unpack("<HH", data[6:10])
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while at < len(data) and data[at] == 0x21:
        at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    if at + 9 <= len(data) and data[at] == 0x2C:
        left, top, w, h = struct.unpack("<HHHH", data[at + 1:at + 9])
        width, height = max(width, left + w), max(height, top + h)
    return width, height


def _boxed(data: bytes, kind: Literal["avif", "jp2"], box: bytes, skip: int) -> PictureHeader | None:
    """The largest size that any such box states: `ispe` has width first, `ihdr` height."""
    best, at = (0, 0), data.find(box)
    while at >= 0:
        first, second = struct.unpack(">II", data[at + skip:at + skip + 8])
        size = (first, second) if kind == "avif" else (second, first)
        best = max(best, size, key=lambda s: s[0] * s[1])
        at = data.find(box, at + 4)
    return PictureHeader(kind, *best) if best[0] else None
