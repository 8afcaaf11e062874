"""The door: may this file come in? It judges the file, not the picture.

Pure header work: type by magic, size, dimensions, and whole to its end marker. A complete picture that is small, blurred or
of something else comes in, and becomes a retake with a reason that the citizen understands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.capture import Part
from pipeline.domain.jpeg_markers import walk_jpeg
from pipeline.domain.png_chunks import PNG_MAGIC, walk_png
from pipeline.errors import BadUpload

JPEG_MAGIC = b"\xff\xd8\xff"
MAX_PHOTO_BYTES = 10 * 1024 * 1024
"""A phone's 12 MP photograph takes 3 to 6 MB, a noisy one at quality 95 about 9 MB; more only slows the upload."""
MAX_SIGNATURE_BYTES = 4 * 1024 * 1024
MAX_PHOTO_PIXELS = 64_000_000
"""The largest full-resolution mode that phones commonly offer; decoded at half size it takes 48 MB."""
MAX_COEFFICIENT_BYTES = 160 << 20
"""A progressive JPEG is kept whole in memory while it is decoded, at any reduction: 24 megapixels without subsampling, or 48 with
it, take 144 MB, and 64 megapixels in four inks 512 MB, from a file of half a megabyte."""
MAX_PNG_PIXELS = 16_000_000
"""A PNG is decoded whole, at up to 4 bytes a pixel: 64 MB. A drawing canvas of 4,000 x 4,000 fits."""
MAX_SIDE = 16_384
"""Longer sides are panoramas or bombs; the largest phone sensors stay below."""

_HEIF_BRANDS = frozenset({
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf",
    b"avif", b"avis", b"avci", b"avcs",
})
"""ISO/IEC 23008-12 and AVIF 1.1: the brands of HEIC and AVIF files."""


class FileKind(StrEnum):
    JPEG = "jpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class UploadFacts:
    """What the headers say. Width and height in pixels as stored; `orientation`: EXIF 1 to 8, None where not said.

    `picture_bytes`: where the picture ends; bytes after it (MPO, motion photos) are tolerated and not looked at.
    """

    kind: FileKind
    width: int
    height: int
    orientation: int | None
    picture_bytes: int


def max_bytes(part: Part) -> int:
    """The largest file that the door lets in for this part."""
    return MAX_SIGNATURE_BYTES if part is Part.SIGNATURE else MAX_PHOTO_BYTES


def check_upload(part: Part, data: bytes) -> UploadFacts:
    """Let `data` in as `part`, or raise `BadUpload` whose sentence says what to send and whose code is one of `CODES`."""
    if not data:
        raise BadUpload(f"`{part}` is empty: {_wanted(part)}", code="file_empty")
    if len(data) > max_bytes(part):
        raise BadUpload(
            f"`{part}` is larger than {max_bytes(part) >> 20} MiB: send it with a stronger compression or fewer pixels",
            code="file_too_large",
        )
    if data.startswith(JPEG_MAGIC):
        return _jpeg(part, data)
    if data.startswith(PNG_MAGIC) and part is Part.SIGNATURE:
        return _png(part, data)
    raise _wrong_type(part, data)


def _jpeg(part: Part, data: bytes) -> UploadFacts:
    try:
        facts = walk_jpeg(data)
    except BadUpload as error:
        raise BadUpload(f"`{part}`: {error.detail}", code=error.code) from None
    _check_size(part, facts.frame.width, facts.frame.height, MAX_PHOTO_PIXELS)
    if facts.frame.coefficient_bytes() > MAX_COEFFICIENT_BYTES:
        raise BadUpload(f"`{part}` is a progressive JPEG with too many pixels: send it as the camera takes it (baseline), or "
                        "with at most 24 million pixels", code="picture_too_large")
    return UploadFacts(FileKind.JPEG, facts.frame.width, facts.frame.height, facts.orientation, facts.end)


def _png(part: Part, data: bytes) -> UploadFacts:
    try:
        facts = walk_png(data)
    except BadUpload as error:
        raise BadUpload(f"`{part}`: {error.detail}", code=error.code) from None
    _check_size(part, facts.width, facts.height, MAX_PNG_PIXELS)
    return UploadFacts(FileKind.PNG, facts.width, facts.height, None, facts.end)


def _check_size(part: Part, width: int, height: int, pixels: int) -> None:
    if width > MAX_SIDE or height > MAX_SIDE or width * height > pixels:
        raise BadUpload(
            f"`{part}` has too many pixels: send at most {pixels // 1_000_000} million, no side over {MAX_SIDE}; "
            "2,000 to 4,000 pixels on the long side are best",
            code="picture_too_large",
        )


def _wrong_type(part: Part, data: bytes) -> BadUpload:
    if _is_heif(data):
        return BadUpload(
            f"`{part}` is HEIC or AVIF: send a JPEG (on iPhone: Settings, Camera, Formats, Most Compatible; "
            "an app converts it before the upload)",
            code="file_heic",
        )
    return BadUpload(f"`{part}` is not of a type that is taken here: {_wanted(part)}", code="file_type")


def _is_heif(data: bytes) -> bool:
    """An ISO base media file whose `ftyp` box, at the front, names an image brand."""
    if data[4:8] != b"ftyp":
        return False
    box = data[8 : min(max(int.from_bytes(data[:4], "big"), 16), 256)]
    brands = {box[start : start + 4] for start in range(0, len(box), 4) if start != 4}
    return not brands.isdisjoint(_HEIF_BRANDS)


def _wanted(part: Part) -> str:
    if part is Part.SIGNATURE:
        return "send the signature as a PNG or JPEG"
    return "send the photograph as a JPEG, as the camera takes it"


CODES = (
    "file_empty", "file_too_large", "file_type", "file_heic", "file_cut", "file_damaged", "jpeg_unsupported",
    "picture_empty", "picture_too_large",
)
"""Every code that the door answers with."""
