"""A PNG cut down to the chunks that make its pixels, before a decoder sees it.

libpng inflates whatever text and profile a file carries, and pixel data past the last line too: 4 MB that the door takes became
8 s of work. Neither changes a pixel (ISO/IEC 15948: ancillary chunks; data past the last scanline).
"""

from __future__ import annotations

import struct
import zlib

from pipeline.domain.png_chunks import DEFLATE_RATIO, PNG_MAGIC, SAMPLES
from pipeline.errors import BadPicture

_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_CHEAP_BYTES = 64 << 20
"""What so little data could inflate to at most is not counted first: a tenth of a second."""
_STEP = 1 << 20
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and the steps between, of each pass of an interlaced picture (ISO/IEC 15948, 8.2)."""


def only_pixels(data: bytes) -> bytes:
    """`data`, a PNG, without the chunks that no pixel needs, comments, profiles and further frames among them.

    What is damaged is left to the decoder. Raises `BadPicture` (`bad_picture.damaged`) where its data would inflate to more than
    its size says.
    """
    view = memoryview(data)
    kept: list[memoryview | bytes] = [PNG_MAGIC]
    pixels: list[memoryview] = []
    at = len(PNG_MAGIC)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in _KEPT:
            kept.append(view[at:at + 12 + length])
        if kind == b"IDAT":
            pixels.append(view[at + 8:at + 8 + length])
        if kind == b"IEND":
            break
        at += 12 + length
    if sum(map(len, pixels)) * DEFLATE_RATIO > _CHEAP_BYTES:
        _check_length(pixels, _raw_bytes(data))
    return b"".join(kept)


def _raw_bytes(data: bytes) -> int:
    """Bytes of all scanlines with their filter bytes, as the header says."""
    width, height, depth, colour, _, _, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    bits = SAMPLES.get(colour, 4) * depth
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    sizes = [(-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


def _check_length(pixels: list[memoryview], most: int) -> None:
    inflater = zlib.decompressobj()
    found = 0
    try:
        for piece in pixels:
            left: bytes | memoryview = piece
            while left and not inflater.eof:
                found += len(inflater.decompress(left, _STEP))
                left = inflater.unconsumed_tail
                if found > most + _STEP:  # some encoders leave a little over
                    raise BadPicture("the picture holds more data than its size says", code="bad_picture.damaged")
    except zlib.error:
        return  # the decoder's to judge
