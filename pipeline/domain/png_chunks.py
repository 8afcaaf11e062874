"""The chunks of a PNG file, walked from IHDR to IEND with their checksums, without inflating a pixel (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pipeline.errors import BadUpload

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Allowed bit depths by colour type (ISO/IEC 15948, table 11.1)."""
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
MAX_CHUNKS = 10_000
"""Encoders write IDAT in pieces of 8 KiB or more: 4 MiB are 512 of them."""
DEFLATE_RATIO = 1_032
"""Deflate cannot expand by more than 1,032 to 1 (a match of 258 bytes from two bits)."""


@dataclass(frozen=True, slots=True)
class PngFacts:
    """Width and height in pixels. `end`: the length of the picture; what follows its IEND is not read."""

    width: int
    height: int
    depth: int
    colour: int
    end: int


def walk_png(data: bytes) -> PngFacts:
    """Walk the chunks of `data`, which begins with the PNG signature. Raises `BadUpload`
    (`file_cut`, `file_damaged`, `picture_empty`)."""
    header: PngFacts | None = None
    position, pixels_bytes, palette = len(PNG_MAGIC), 0, False
    view = memoryview(data)
    for index in range(MAX_CHUNKS):
        if position + 12 > len(data):
            raise _cut()
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise _cut()
        if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise _damaged("a checksum does not hold")
        if (kind == b"IHDR") != (index == 0):
            raise _damaged("its header is not where it must be")
        if kind == b"IHDR":
            header = _header(data[position + 8 : end - 4])
        elif kind == b"PLTE":
            palette = True
        elif kind == b"IDAT":
            pixels_bytes += length
        elif kind == b"IEND" and header is not None:
            return _finished(header, pixels_bytes, palette, end)
        elif not kind[0] & 0x20:
            raise _damaged("it holds a critical chunk that no decoder knows")
        position = end
    raise _damaged("it has too many chunks")


def _header(body: bytes) -> PngFacts:
    if len(body) != 13:
        raise _damaged("its header does not add up")
    width, height, depth, colour, compression, filters, interlace = struct.unpack(">IIBBBBB", body)
    if width == 0 or height == 0:
        raise BadUpload("the picture declares no width or no height: draw and send it again", code="picture_empty")
    if depth not in DEPTHS.get(colour, ()) or compression or filters or interlace > 1 or max(width, height) >= 1 << 31:
        raise _damaged("its header holds values that no PNG has")
    return PngFacts(width=width, height=height, depth=depth, colour=colour, end=0)


def _finished(header: PngFacts, pixels_bytes: int, palette: bool, end: int) -> PngFacts:
    if header.colour == 3 and not palette:
        raise _damaged("its palette is missing")
    row = -(-header.width * SAMPLES[header.colour] * header.depth // 8)
    if pixels_bytes * DEFLATE_RATIO < row * header.height:
        raise _cut()
    return PngFacts(header.width, header.height, header.depth, header.colour, end)


def _cut() -> BadUpload:
    return BadUpload("the file ends before its picture does: send it again, whole", code="file_cut")


def _damaged(how: str) -> BadUpload:
    return BadUpload(f"the PNG is damaged: {how}; draw and send it again", code="file_damaged")
