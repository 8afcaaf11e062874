"""The markers of a JPEG file, walked from SOI to the real EOI without decoding a pixel (ITU-T T.81, annex B).

Entropy-coded data is crossed by one regular expression that begins with a literal byte, so it moves at the speed of
`memchr`; everything else is bounded by `MAX_SEGMENTS`. The time is linear in the length of the file, whatever it holds.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from pipeline.errors import BadUpload

SOI, EOI, SOS, DNL, APP1 = 0xD8, 0xD9, 0xDA, 0xDC, 0xE1
FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""SOF0 baseline, SOF1 extended sequential, SOF2 progressive, all Huffman-coded: what phones write and every decoder reads."""
OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF})
"""Lossless, hierarchical and arithmetic-coded frames (T.81, table B.1)."""
ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""TEM and RSTn stand without a length."""
SEGMENTS = frozenset({0xC4, 0xCC, SOS, 0xDB, DNL, 0xDD, *range(0xE0, 0xF0), 0xFE})
"""DHT, DAC, SOS, DQT, DNL, DRI, APPn, COM: the segments that carry their length and that a decoder skips or reads."""

MAX_SEGMENTS = 1_000
"""ICC profiles take at most 255 segments, extended XMP of 8 MiB about 128; more only costs time."""
MAX_SCANS = 32
"""Encoders write 6 to 12 scans, optimisers up to about 20; each makes a decoder cross the whole picture again."""
MAX_BLOCKS_PER_MCU = 10
"""T.81, B.2.3: an interleaved scan holds at most ten blocks a unit."""

_ANY_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_EXIF = b"Exif\x00\x00"
_ORIENTATION_TAG, _SHORT = 0x0112, 3


@dataclass(frozen=True, slots=True)
class Frame:
    """What SOFn declares. Sizes in pixels as stored, before the EXIF orientation; `sampling`: (H, V) a component."""

    progressive: bool
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]

    def least_bytes(self) -> int:
        """No complete picture of this size has fewer entropy-coded bytes.

        A Huffman code is at least one bit: a block of a sequential picture needs two (DC and end-of-block), of a
        progressive one needs one (its DC). T.81, F.1.2 and G.1.2.
        """
        return self._blocks() * (1 if self.progressive else 2) // 8

    def coefficient_bytes(self) -> int:
        """What a decoder must keep whole until the last scan: 64 coefficients of two bytes a block where the picture is
        progressive, hardly anything where it is not."""
        return self._blocks() * 128 if self.progressive else 0

    def _blocks(self) -> int:
        widest, tallest = max(h for h, _ in self.sampling), max(v for _, v in self.sampling)
        return sum(-(-self.width * h // (8 * widest)) * -(-self.height * v // (8 * tallest)) for h, v in self.sampling)


@dataclass(frozen=True, slots=True)
class JpegFacts:
    """`orientation`: the EXIF tag, 1 to 8, or None. `end`: the length of the picture; what follows its EOI is not read."""

    frame: Frame
    orientation: int | None
    scans: int
    end: int


def walk_jpeg(data: bytes) -> JpegFacts:
    """Walk the markers of `data`, which begins with SOI, to the EOI of its first picture.

    Stray bytes between segments are passed over as decoders do; pictures in APPn segments and after the EOI (MPO, motion
    photos) are not looked at. Raises `BadUpload` (`file_cut`, `file_damaged`, `jpeg_unsupported`).
    """
    frame: Frame | None = None
    orientation: int | None = None
    scans, coded, position = 0, 0, 2
    for _ in range(MAX_SEGMENTS):
        found = _ANY_MARKER.search(data, position)
        if found is None:
            raise _cut()
        marker, position = data[found.end() - 1], found.end()
        if marker == EOI:
            return _finished(frame, orientation, scans, coded, position)
        if marker in ALONE:
            continue
        body, position = _segment(data, marker, position)
        if marker in FRAMES:
            if frame is not None:
                raise _damaged("it declares its size twice")
            frame = _frame(marker, body)
        elif marker == APP1 and orientation is None:
            orientation = exif_orientation(body)
        elif marker == SOS:
            scans += 1
            _check_scan(frame, body, scans)
            start, position = position, _end_of_scan(data, position)
            coded += position - start
    raise _damaged("it has too many segments")


def _segment(data: bytes, marker: int, position: int) -> tuple[bytes, int]:
    """The body of the segment whose length stands at `position`, and where the next one starts."""
    if marker in OTHER_FRAMES:
        raise BadUpload(
            "the JPEG is lossless, hierarchical or arithmetic-coded: send a baseline or progressive JPEG, as phone cameras write",
            code="jpeg_unsupported",
        )
    if marker not in FRAMES and marker not in SEGMENTS:
        raise _damaged("it holds a marker that no JPEG has there")
    if position + 2 > len(data):
        raise _cut()
    length = int.from_bytes(data[position : position + 2], "big")
    if length < 2:
        raise _damaged("a segment is shorter than its own length")
    if position + length > len(data):
        raise _cut()
    return data[position + 2 : position + length], position + length


def _frame(marker: int, body: bytes) -> Frame:
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise _damaged("its frame header does not add up")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if precision != 8 or components not in (1, 3, 4):
        raise BadUpload(
            "the JPEG must have 8 bits a sample and 1, 3 or 4 components: send it as phone cameras write it",
            code="jpeg_unsupported",
        )
    if width == 0 or height == 0:
        raise BadUpload("the picture declares no width or no height: send it again from the camera", code="picture_empty")
    sampling = tuple((body[7 + 3 * index] >> 4, body[7 + 3 * index] & 15) for index in range(components))
    if not all(1 <= h <= 4 and 1 <= v <= 4 for h, v in sampling):
        raise _damaged("its sampling factors are out of range")
    if components > 1 and sum(h * v for h, v in sampling) > MAX_BLOCKS_PER_MCU:
        raise _damaged("its sampling factors are out of range")
    return Frame(progressive=marker == 0xC2, width=width, height=height, sampling=sampling)


def _check_scan(frame: Frame | None, body: bytes, scans: int) -> None:
    if frame is None:
        raise _damaged("its data comes before its size")
    if scans > MAX_SCANS:
        raise _damaged("it has too many scans")
    if not body or not 1 <= body[0] <= len(frame.sampling) or len(body) != 4 + 2 * body[0]:
        raise _damaged("a scan header does not add up")


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the next marker that is neither stuffing, restart nor fill stands."""
    found = _MARKER_IN_SCAN.search(data, position)
    if found is None:
        raise _cut()
    return found.start()


def _finished(frame: Frame | None, orientation: int | None, scans: int, coded: int, end: int) -> JpegFacts:
    if frame is None or scans == 0:
        raise _damaged("it ends before any picture")
    if coded < frame.least_bytes():
        raise _cut()
    return JpegFacts(frame=frame, orientation=orientation, scans=scans, end=end)


def exif_orientation(app1: bytes) -> int | None:
    """The orientation tag (1 to 8) of the body of an APP1 segment, or None where it is absent, undefined or broken.

    Exif 2.32, 4.6.4: tag 0x0112 of IFD0, one SHORT. Broken metadata is never a reason to refuse a picture.
    """
    if not app1.startswith(_EXIF):
        return None
    tiff = app1[len(_EXIF) :]
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return None
    offset = int(struct.unpack_from(order + "I", tiff, 4)[0])
    if not 8 <= offset <= len(tiff) - 2:
        return None
    entries = int(struct.unpack_from(order + "H", tiff, offset)[0])
    for entry in range(offset + 2, min(offset + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == _ORIENTATION_TAG:
            return int(value) if kind == _SHORT and count == 1 and 1 <= value <= 8 else None
    return None


def _cut() -> BadUpload:
    return BadUpload("the file ends before its picture does: send it again, whole", code="file_cut")


def _damaged(how: str) -> BadUpload:
    return BadUpload(f"the JPEG is damaged: {how}; send the camera's own file again", code="file_damaged")
