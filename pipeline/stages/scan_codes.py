"""Finds QR, PDF417 and Code 128 in any picture: one pass of zxing-cpp, and a ladder of ways to look again. It never fetches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from pipeline.domain.evidence import Symbology
from pipeline.networks.api import Image

_FORMATS = {
    # The umbrella format of QR would also look for Micro QR and rMQR, and find them in noise.
    Symbology.QR: (zxingcpp.BarcodeFormat.QRCodeModel2, zxingcpp.BarcodeFormat.QRCodeModel1),
    Symbology.PDF417: (zxingcpp.BarcodeFormat.PDF417,),
    Symbology.CODE128: (zxingcpp.BarcodeFormat.Code128,),
}
_SYMBOLOGIES = {"QR Code": Symbology.QR, "QR Code Model 2": Symbology.QR, "QR Code Model 1": Symbology.QR,
                "PDF417": Symbology.PDF417, "Code 128": Symbology.CODE128}
ALL = tuple(Symbology)
MATRIX = (Symbology.QR, Symbology.PDF417)

MAX_UPSAMPLED_PIXELS = 12_000_000
"""No step of a ladder makes a picture larger than a phone's own."""


@dataclass(frozen=True, slots=True)
class FoundCode:
    """One code in a picture. `corners`: (4, 2) pixels of that picture, from the symbol's own top left, clockwise in its own
    upright sense. `payload` is empty and `text` None where it was seen but could not be decoded. `modules`: a QR's side."""

    symbology: Symbology
    decoded: bool
    corners: NDArray[np.float64]
    text: str | None
    payload: bytes
    modules: int | None


class Enhance(StrEnum):
    """What is done to a picture before it is looked at again."""

    NOTHING = "nothing"
    EQUALISE = "equalise"
    """Contrast made even by tiles: shadow and weak print."""
    SHARPEN = "sharpen"
    """Against slight defocus."""
    DEBLUR = "deblur"
    """Against more of it; it also brings out noise."""
    SMOOTH = "smooth"
    """Against noise, moiré and broken modules."""


_UNSHARP = {Enhance.SHARPEN: (2.0, 1.5), Enhance.DEBLUR: (3.0, 5.0)}
"""Sigma in pixels and amount of the unsharp mask: about one module of a code that is at the edge of what can be read."""


@dataclass(frozen=True, slots=True)
class Look:
    """One way to look at a picture: its scale, what is done to it, and whether one threshold serves all of it."""

    scale: float = 1.0
    enhance: Enhance = Enhance.NOTHING
    one_threshold: bool = False
    thorough: bool = False
    """Also turned by 90 degrees (PDF417, Code 128) and light on dark."""


def scan(grey: Image, symbologies: Iterable[Symbology] = ALL, *, one_threshold: bool = False, thorough: bool = False,
         undecoded: bool = False) -> list[FoundCode]:
    """One pass over a (H, W) grey picture. `undecoded`: also what was located but whose error correction fails.

    Text is taken plainly: the reader's default would rewrite control characters and GS1 separators.
    """
    binarizer = zxingcpp.Binarizer.GlobalHistogram if one_threshold else zxingcpp.Binarizer.LocalAverage
    formats = zxingcpp.BarcodeFormats([form for symbology in symbologies for form in _FORMATS[symbology]])
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(grey), formats=formats, try_rotate=thorough, try_invert=thorough,
        text_mode=zxingcpp.TextMode.Plain, binarizer=binarizer, return_errors=undecoded)
    return [code for code in map(_found_code, found) if code is not None]


def look(grey: Image, way: Look, symbologies: Iterable[Symbology] = ALL, *, undecoded: bool = False) -> list[FoundCode]:
    """`scan` after scaling and enhancing; corners in pixels of `grey` as it was given."""
    factor = min(way.scale, (MAX_UPSAMPLED_PIXELS / grey.size) ** 0.5) if way.scale > 1 else way.scale
    found = scan(enhanced(scaled(grey, factor), way.enhance), symbologies, one_threshold=way.one_threshold,
                 thorough=way.thorough, undecoded=undecoded)
    if factor == 1:
        return found
    return [replace(code, corners=(code.corners + 0.5) / factor - 0.5) for code in found]


def scaled(grey: Image, factor: float) -> Image:
    if factor == 1:
        return grey
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=how), dtype=np.uint8)


def enhanced(grey: Image, enhance: Enhance) -> Image:
    if enhance is Enhance.EQUALISE:
        return np.asarray(cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(grey), dtype=np.uint8)
    if enhance in _UNSHARP:
        sigma, amount = _UNSHARP[enhance]
        soft = cv2.GaussianBlur(grey, (0, 0), sigma)
        return np.asarray(cv2.addWeighted(grey, 1 + amount, soft, -amount, 0), dtype=np.uint8)
    if enhance is Enhance.SMOOTH:
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.2), dtype=np.uint8)
    return grey


PICTURE_LOOKS = (Look(thorough=True), Look(scale=0.5, one_threshold=True, thorough=True))
"""Ways that are always taken of an unknown picture: it may hold several codes, one large and near, one small."""
PICTURE_LADDER = (
    Look(enhance=Enhance.EQUALISE), Look(enhance=Enhance.SHARPEN), Look(one_threshold=True), Look(scale=0.5),
    Look(scale=2.0), Look(enhance=Enhance.SMOOTH), Look(scale=0.25), Look(scale=2.0, one_threshold=True),
    Look(enhance=Enhance.EQUALISE, one_threshold=True), Look(scale=0.5, enhance=Enhance.SHARPEN), Look(scale=0.33),
    Look(scale=2.0, enhance=Enhance.SHARPEN), Look(scale=0.5, enhance=Enhance.EQUALISE, one_threshold=True),
)
"""Dearer ways, in this order, until one finds a code."""


def scan_picture(grey: Image, symbologies: Iterable[Symbology] = MATRIX) -> list[FoundCode]:
    """All codes of any (H, W) grey picture, card or not: two looks, then dearer ones until a code decodes.

    A code that shows without being decoded is kept, and looked for again from nearer by.
    """
    symbologies = tuple(symbologies)
    found: list[FoundCode] = []
    for way in PICTURE_LOOKS:
        found = merged(found, look(grey, way, symbologies, undecoded=True))
    for way in PICTURE_LADDER:
        if any(code.decoded for code in found):
            break
        found = merged(found, look(grey, way, symbologies, undecoded=True))
    for code in [code for code in found if not code.decoded]:
        found = merged(found, near(grey, code.corners, (code.symbology,)))
    return [code for code in found if code.decoded or not any(_touch(code, other) for other in found if other.decoded)]


def _touch(a: FoundCode, b: FoundCode) -> bool:
    """One symbology, and their bounding boxes overlap: a part of a decoded code seen askew is no code of its own."""
    apart = (a.corners.max(axis=0) < b.corners.min(axis=0)) | (b.corners.max(axis=0) < a.corners.min(axis=0))
    return a.symbology is b.symbology and not bool(apart.any())


NEAR_LOOKS = (
    Look(scale=1.5, enhance=Enhance.DEBLUR), Look(scale=2.0, enhance=Enhance.SHARPEN),
    Look(enhance=Enhance.EQUALISE, one_threshold=True),
)


LEAST_CUT = 8
"""Pixels of a side; no code is seen in less."""


def near(grey: Image, corners: NDArray[np.float64], symbologies: Iterable[Symbology], margin: float = 0.35) -> list[FoundCode]:
    """Looks again at one place only, a `margin` (of its size) larger, until something decodes; corners in pixels of `grey`."""
    return next((found for found in near_steps(grey, corners, symbologies, margin) if found), [])


def near_steps(grey: Image, corners: NDArray[np.float64], symbologies: Iterable[Symbology],
               margin: float = 0.35) -> Iterator[list[FoundCode]]:
    """What each step of `near` decoded, so that a caller can count."""
    symbologies = tuple(symbologies)
    crop, corner = cut_round(grey, corners, margin)
    if min(crop.shape) < LEAST_CUT:
        return
    for way in NEAR_LOOKS:
        yield [replace(code, corners=code.corners + corner) for code in look(crop, way, symbologies)]


def cut_round(grey: Image, corners: NDArray[np.float64], margin: float,
              most: float = np.inf) -> tuple[Image, NDArray[np.int_]]:
    """The picture round a place and where it begins (x, y): `margin` of its size larger, by no more than `most` pixels."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    pad = np.minimum(margin * (high - low), most)
    x0, y0 = np.maximum(np.floor(low - pad), 0).astype(int)
    x1, y1 = np.ceil(high + pad).astype(int) + 1
    return grey[y0:y1, x0:x1], np.array([x0, y0])


def merged(known: list[FoundCode], more: Iterable[FoundCode]) -> list[FoundCode]:
    """One entry a place: a decoded code replaces one that only showed; a second sight of the same is dropped."""
    kept = list(known)
    for code in more:
        same = next((index for index, other in enumerate(kept) if same_place(code, other)), None)
        if same is None:
            kept.append(code)
        elif code.decoded and not kept[same].decoded:
            kept[same] = code
    return kept


def same_place(a: FoundCode, b: FoundCode) -> bool:
    """The centre of one lies inside the other, both are of one symbology, and they do not say different things."""
    if a.symbology is not b.symbology or (a.decoded and b.decoded and a.payload != b.payload):
        return False
    return _inside(a.corners, b.corners) or _inside(b.corners, a.corners)


def _inside(inner: NDArray[np.float64], outer: NDArray[np.float64]) -> bool:
    x, y = inner.mean(axis=0)
    return cv2.pointPolygonTest(outer.astype(np.float32), (float(x), float(y)), False) >= 0


def _found_code(code: zxingcpp.Barcode) -> FoundCode | None:
    symbology = _SYMBOLOGIES.get(str(code.format))
    position = code.position
    points = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    corners = np.array([(point.x, point.y) for point in points], dtype=np.float64)
    half_seen = bool((corners == 0).all(axis=1).any())
    if symbology is None or (half_seen and not code.valid):
        return None  # an error without a whole place tells nothing: the reader leaves corners that it lacks at 0, 0
    if not code.valid:
        return FoundCode(symbology, False, corners, None, b"", _modules(code))
    return FoundCode(symbology, True, corners, _text(code), bytes(code.bytes), _modules(code))


def _text(code: zxingcpp.Barcode) -> str | None:
    """What it says, or None for bytes. The reader calls all bytes that hold a control character binary: UTF-8 is still text,
    but not with a NUL, which no text column takes."""
    text: str = code.text
    if code.content_type is zxingcpp.ContentType.Binary:
        try:
            text = bytes(code.bytes).decode()
        except UnicodeDecodeError:
            return None
    return None if "\0" in text else text


def _modules(code: zxingcpp.Barcode) -> int | None:
    """17 + 4 x version (ISO/IEC 18004); None where it is no QR or its version was not read."""
    version = str(code.extra.get("Version", "")) if isinstance(code.extra, dict) else ""
    return 17 + 4 * int(version) if _SYMBOLOGIES.get(str(code.format)) is Symbology.QR and version.isdigit() else None
