"""Pictures drawn byte by byte to hurt whoever decodes them: small files that are large inside, or long, or of two kinds at once.

Each says which part it comes as and what the door answers: None, it comes in and the decoder has to bear it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """code: the door's refusal, None where the file is taken."""

    part: str
    data: bytes
    code: str | None


def segment(marker: int, body: bytes = b"") -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def frame(marker: int, width: int, height: int, sampling: tuple[int, ...]) -> bytes:
    parts = b"".join(bytes((index + 1, factors, 0)) for index, factors in enumerate(sampling))
    return segment(marker, struct.pack(">BHHB", 8, height, width, len(sampling)) + parts)


QUANTISER = segment(0xDB, b"\x00" + b"\x01" * 64)


def codes(kind: int, *symbols: int) -> bytes:
    """A Huffman table: up to two symbols, `0` and `10`. kind: 0x00 DC, 0x10 AC."""
    counts = (len(symbols[:1]), len(symbols[1:2]), *[0] * 14)
    return segment(0xC4, bytes((kind, *counts, *symbols)))


def scan(components: tuple[int, ...], first: int, last: int, high: int = 0, low: int = 0) -> bytes:
    ids = b"".join(bytes((one, 0x00)) for one in components)
    return segment(0xDA, bytes((len(components),)) + ids + bytes((first, last, high << 4 | low)))


def stuffed(bits: str) -> bytes:
    """Bits as entropy-coded bytes, ones at the end."""
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00") if bits else b""


def blocks(width: int, height: int) -> int:
    return -(-width // 8) * -(-height // 8)


def empty_run(count: int) -> bytes:
    """An AC scan that says of `count` blocks that nothing is in them: EOB14, a run of up to 32,767 blocks each."""
    whole, rest = divmod(count, 32_767)
    return stuffed(("0" + "1" * 14) * whole + "0" + f"{max(rest - 16_384, 0):014b}")


def progressive(width: int, height: int, sampling: tuple[int, ...], scans: int, *, refine: bool = False) -> bytes:
    """One DC scan, then AC scans that cross every block and say nothing, as many as asked for.

    refine: the scans go over the same coefficients again, bit by bit, which decoders call wrong and do all the same.
    """
    dc = b"\x00" * (blocks(width, height) * len(sampling) // 8 + 1)
    data = SOI + QUANTISER + frame(0xC2, width, height, sampling) + codes(0x00, 0) + codes(0x10, 0xE0)
    data += scan(tuple(range(1, len(sampling) + 1)), 0, 0) + dc
    body = empty_run(blocks(width, height))
    for number in range(scans - 1):
        component, band = number % len(sampling) + 1, number // len(sampling)
        high, low = (0, 0) if not refine else (13 - band % 13, 12 - band % 13)
        data += scan((component,), 1, 63, high, low) + body if refine else scan((component,), band + 1, band + 1) + body
    return data + EOI


def baseline(width: int, height: int, sampling: tuple[int, ...], marker: int = 0xC0) -> bytes:
    """Every block two bits: the DC's difference none, and the end of the block."""
    bits = blocks(width, height) * len(sampling) * 2
    return (SOI + QUANTISER + frame(marker, width, height, sampling) + codes(0x00, 0) + codes(0x10, 0)
            + scan(tuple(range(1, len(sampling) + 1)), 0, 63) + b"\x00" * (bits // 8 + 1) + EOI)


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros(count: int) -> bytes:
    """`count` zero bytes as zlib would deflate them, without the seconds that a gigabyte takes to deflate."""
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = raw.compress(bytes(1 << 20)) + raw.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = rest.compress(bytes(count & 0xFFFFF)) + rest.flush()
    return b"\x78\xda" + block * (count >> 20) + last + struct.pack(">HH", count % 65_521, 1)


def noise(count: int) -> bytes:
    """Bytes that do not deflate, the same each time."""
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(count // 32))


def png(width: int, height: int, *extra: bytes, depth: int = 8, colour: int = 6, interlace: int = 0,
        body: bytes | None = None) -> bytes:
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = -(-width * samples * depth // 8) + 1
    return (PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)) + b"".join(extra)
            + chunk(b"IDAT", zeros(row * height + height * 7 // 8 * interlace) if body is None else body) + chunk(b"IEND"))


def profile_bomb(megabytes: int) -> bytes:
    """An `iCCP` chunk: some kilobytes that inflate to so much."""
    return chunk(b"iCCP", b"profile\x00\x00" + zeros(megabytes << 20))


def text_bomb(megabytes: int) -> bytes:
    return chunk(b"zTXt", b"Comment\x00\x00" + zeros(megabytes << 20))


def exif_loop() -> bytes:
    """A directory that says that it goes on at itself, of 65,535 entries, each a pointer to a directory."""
    tiff = b"II*\x00\x08\x00\x00\x00\xff\xff" + struct.pack("<HHII", 0x8769, 4, 1, 8) * 5_000 + struct.pack("<I", 8)
    return segment(0xE1, b"Exif\x00\x00" + tiff)


def profile_segments(count: int, size: int = 65_000) -> bytes:
    return b"".join(segment(0xE2, b"ICC_PROFILE\x00" + bytes((number % 255 + 1, 255)) + bytes(size)) for number in range(count))


SMALL = baseline(640, 480, (0x11, 0x11, 0x11))
SIGNATURE = png(64, 48)


@cache
def hostile_pictures() -> Mapping[str, Hostile]:
    """Drawn once a process: some 50 MB."""
    return {**_large(), **_long(), **_hiding(), **_wrong()}


def _large() -> Mapping[str, Hostile]:
    three, four = (0x11, 0x11, 0x11), (0x11,) * 4
    return {
        "JPEG of 64 MP in 0.8 MB": Hostile("front", baseline(8_000, 8_000, three), None),
        "JPEG of 64 MP, four inks": Hostile("back", baseline(8_000, 8_000, four), None),
        "progressive JPEG of 64 MP in 0.4 MB": Hostile("front", progressive(8_000, 8_000, three, 4), "picture_too_large"),
        "progressive JPEG of 64 MP, four inks": Hostile("selfie", progressive(8_000, 8_000, four, 5), "picture_too_large"),
        "JPEG of 16,384 x 3,900": Hostile("front", baseline(16_384, 3_900, three), None),
        "JPEG of 1 x 16,384": Hostile("front", baseline(1, 16_384, three), None),
        "JPEG of 16,384 x 1": Hostile("front", baseline(16_384, 1, three), None),
        "JPEG of 65,535 x 65,535, whole": Hostile("front", baseline(65_535, 65_535, (0x11,)), "file_too_large"),
        "JPEG of 65,535 x 16": Hostile("front", baseline(65_535, 16, three), "picture_too_large"),
        "JPEG that says more than it holds": Hostile("front", baseline(640, 480, three).replace(
            struct.pack(">HH", 480, 640), struct.pack(">HH", 8_000, 8_000)), "file_cut"),
        "PNG of 16 MP in 63 KB": Hostile("signature", png(4_000, 4_000), None),
        "PNG of 16 MP of 16 bits": Hostile("signature", png(4_000, 4_000, depth=16), None),
        "PNG of 16 MP, interlaced": Hostile("signature", png(4_000, 4_000, interlace=1), None),
        "PNG of 400 MP, one colour": Hostile("signature", png(16_000, 25_000, depth=1, colour=0), "picture_too_large"),
        "PNG of 16,384 x 976": Hostile("signature", png(16_384, 976), None),
    }


def _long() -> Mapping[str, Hostile]:
    three = (0x11, 0x11, 0x11)
    thousands = SOI + QUANTISER + frame(0xC2, 4_000, 3_000, three) + codes(0x00, 0) + codes(0x10, 0xE0)
    thousands += (scan((1,), 1, 63) + empty_run(blocks(4_000, 3_000))) * 3_000
    return {
        "progressive JPEG of 3,000 scans": Hostile("front", thousands + EOI, "file_damaged"),
        "progressive JPEG of 32 scans": Hostile("front", progressive(4_900, 4_900, three, 32), None),
        "progressive JPEG that refines 32 times": Hostile("front", progressive(4_900, 4_900, three, 32, refine=True), None),
        "progressive JPEG of 64 MP and 32 scans": Hostile("front", progressive(8_000, 8_000, three, 32), "picture_too_large"),
        "JPEG of 10,000 comments": Hostile("front", SOI + segment(0xFE, b"x") * 10_000 + SMALL[2:], "file_damaged"),
        "PNG of 100,000 chunks": Hostile("signature", png(64, 48, chunk(b"teXt", b"a\x00b") * 100_000), "file_damaged"),
        "PNG of 9,000 chunks": Hostile("signature", png(64, 48, chunk(b"tEXt", b"a\x00b") * 9_000), None),
    }


def _hiding() -> Mapping[str, Hostile]:
    return {
        "PNG whose profile inflates to 1 GB": Hostile("signature", png(64, 48, profile_bomb(1_024)), None),
        "PNG whose text inflates to 1 GB": Hostile("signature", png(64, 48, text_bomb(1_024)), None),
        "PNG with 3 MB of an unknown chunk": Hostile("signature", png(64, 48, chunk(b"giAN", bytes(3 << 20))), None),
        "PNG whose pixels are too few": Hostile("signature", png(640, 480, body=zlib.compress(noise(2_048))), None),
        "PNG whose text inflates to 8 MB, 480 times": Hostile("signature", png(64, 48, *[text_bomb(8)] * 480), None),
        "PNG whose pixels are 4 GB too many": Hostile("signature", png(64, 48, body=zeros(4_000 << 20)), None),
        "PNG of 4 MP whose pixels are 4 GB too many": Hostile("signature", png(2_000, 2_000, body=zeros(4_000 << 20)), None),
        "PNG whose pixels are noise": Hostile("signature", png(64, 48, body=bytes(range(1, 256)) * 8), None),
        "PNG with an EXIF of nonsense": Hostile("signature", png(64, 48, chunk(b"eXIf", b"II*\x00\xff\xff\xff\xff" * 9)), None),
        "JPEG with 8 MB of profile": Hostile("front", SOI + profile_segments(128) + SMALL[2:], None),
        "JPEG whose EXIF leads to itself": Hostile("front", SOI + exif_loop() + SMALL[2:], None),
        "JPEG and a zip behind it": Hostile("front", SMALL + b"PK\x03\x04" + bytes(50_000), None),
        "JPEG and a page behind it": Hostile("front", SMALL + b"<script>alert(1)</script>", None),
        "JPEG and another behind it": Hostile("back", SMALL + baseline(8_000, 8_000, (0x11,)), None),
        "JPEG with a script inside": Hostile("back", SOI + segment(0xFE, b"<?php phpinfo() ?>") + SMALL[2:], None),
        "JPEG of noise": Hostile("front", SMALL[:-2].replace(b"\x00" * 512, bytes(range(255)) * 2 + b"ZZ") + EOI, None),
        "JPEG without tables": Hostile("front", SOI + frame(0xC0, 640, 480, (0x11,)) + scan((1,), 0, 63) + bytes(4_000) + EOI,
                                       None),
        "JPEG of a component twice": Hostile("front", SMALL.replace(b"\x02\x11\x00", b"\x01\x11\x00", 1), None),
    }


def _wrong() -> Mapping[str, Hostile]:
    """Of another kind than they say, or cut."""
    wrong = {
        "a page that hides a JPEG": Hostile("front", b"<html>" + SMALL, "file_type"),
        "a PDF that hides a JPEG": Hostile("front", b"%PDF-1.7\n" + SMALL, "file_type"),
        "a GIF that is also a script": Hostile("front", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)", "file_type"),
        "a zip": Hostile("selfie", b"PK\x03\x04" + bytes(400), "file_type"),
        "a PNG as photo": Hostile("front", SIGNATURE, "file_type"),
        "an SVG with an entity bomb": Hostile("signature", b'<!DOCTYPE svg [<!ENTITY a "aa">]><svg>&a;</svg>', "file_type"),
        "a pickle": Hostile("front", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", "file_type"),
        "an animated PNG": Hostile("signature", png(64, 48, chunk(b"acTL", struct.pack(">II", 100_000, 0))), None),
    }
    for share in (0.01, 0.1, 0.5, 0.9, 0.999):
        wrong[f"JPEG cut at {share:.1%}"] = Hostile("back", SMALL[:max(int(len(SMALL) * share), 3)], "file_cut")
        wrong[f"PNG cut at {share:.1%}"] = Hostile("signature", SIGNATURE[:max(int(len(SIGNATURE) * share), 9)], "file_cut")
    return wrong
