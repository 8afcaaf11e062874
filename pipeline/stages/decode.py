"""From encoded bytes to one upright picture, decoded once and no larger than the work needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import simplejpeg

from pipeline.errors import BadPicture
from pipeline.networks.api import Array, Image
from pipeline.stages.picture_header import PictureHeader, read_header
from pipeline.stages.png_pixels import only_pixels

LONG_SIDE = 2000
"""Least long side of the view in pixels: a card over 65 % of it still gives 15 px/mm (design, decision 2)."""
MAX_PIXELS = 120_000_000
"""Refused above this: phones give up to 108 MP, and a decompression bomb far more."""
DRAWN_SHARE, LIGHT_LEVEL = 0.5, 200
"""A transparent picture of which less than half is drawn on, all of it lighter than this, is a white drawing."""
_STRIP = 64
"""Rows that are made BGR at a time."""
_JPEG_EIGHTHS = (1, 2, 4, 8)
"""Reductions that libjpeg-turbo has fast code for; 3/8, 5/8 … cost more time than they save later."""


@dataclass(frozen=True, slots=True)
class Photo:
    """view: (H, W, 3) BGR uint8, upright by its EXIF orientation.  scale: full-resolution pixels per view pixel.
    width, height: of the upright photograph at full resolution."""

    view: Image
    scale: float
    width: int
    height: int


class JpegDecoder(Protocol):
    """What may decode JPEGs in the place of the CPU."""

    def __call__(self, data: bytes, factor: int) -> Image | None:
        """As stored, (ceil(H / factor), ceil(W / factor), 3) BGR uint8, factor 1, 2, 4 or 8; None: the CPU decodes it."""
        ...


def decode(data: bytes, long_side: int = LONG_SIDE, max_pixels: int = MAX_PIXELS, jpeg: JpegDecoder | None = None) -> Photo:
    """Decodes a photograph at the largest reduction that leaves its long side at least `long_side` pixels.

    JPEG is reduced while it is decoded; other formats (PNG, WebP, TIFF, GIF's first frame, BMP, AVIF, JPEG 2000) after.
    Grey, 16-bit, palette, CMYK and transparent pictures become 8-bit BGR (transparent parts white, or black behind a drawing
    that is white itself).
    The EXIF orientation is applied exactly once, here.

    Raises `BadPicture`: `bad_picture.format` (not a picture that we read), `.too_large`, `.truncated`, `.damaged`.
    """
    header = read_header(data)
    if header is None:
        raise BadPicture("the bytes are no picture of a known format", code="bad_picture.format")
    if header.width < 1 or header.height < 1:
        raise BadPicture("the picture states no size", code="bad_picture.damaged")
    if header.width * header.height > max_pixels:
        raise BadPicture(f"{header.width} x {header.height} pixels are more than {max_pixels}", code="bad_picture.too_large")
    if header.format == "jpeg":
        view = _decode_jpeg(data, header, long_side, jpeg)
    else:
        view = _decode_other(only_pixels(data) if header.format == "png" else data, long_side, max_pixels)
    # OpenCV turns TIFF upright by itself, whatever its flags say, and nothing else under IMREAD_UNCHANGED
    upright = view if header.format == "tiff" else orient(view, header.orientation)
    width, height = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
    return Photo(upright, max(width, height) / max(upright.shape[:2]), width, height)


def orient(image: Image, orientation: int) -> Image:
    """Turns a stored picture upright by its Exif orientation 1..8 (CIPA DC-008, tag 0x0112); contiguous."""
    if orientation in (2, 3, 4):
        return np.asarray(cv2.flip(image, {2: 1, 3: -1, 4: 0}[orientation]), dtype=np.uint8)
    if orientation == 5:
        return np.asarray(cv2.transpose(image), dtype=np.uint8)
    if orientation == 6:
        return np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), dtype=np.uint8)
    if orientation == 7:
        return np.asarray(cv2.rotate(cv2.transpose(image), cv2.ROTATE_180), dtype=np.uint8)
    if orientation == 8:
        return np.asarray(cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
    return image


def _decode_jpeg(data: bytes, header: PictureHeader, long_side: int, jpeg: JpegDecoder | None) -> Image:
    longest = max(header.width, header.height)
    eighths = next((e for e in _JPEG_EIGHTHS if longest * e >= long_side * 8), 8)
    if jpeg is not None and (picture := jpeg(data, 8 // eighths)) is not None:
        return picture
    # simplejpeg takes the smallest scale that keeps this many pixels; the size that a scale gives is rounded up
    wanted = -(-longest * eighths // 8)
    sides = {"min_width": wanted} if header.width >= header.height else {"min_height": wanted}
    try:
        return _turbo(data, sides, strict=True)
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise BadPicture("the JPEG ends before its picture is complete", code="bad_picture.truncated") from error
    try:
        return _turbo(data, sides, strict=False)  # decoder warnings that leave a picture: stray bytes, odd tables
    except ValueError:
        return _fit(_imdecode(data), long_side)  # CMYK and other rare kinds


def _turbo(data: bytes, sides: dict[str, int], *, strict: bool) -> Image:
    return np.asarray(simplejpeg.decode_jpeg(data, colorspace="BGR", fastdct=True, strict=strict, **sides), dtype=np.uint8)


def _decode_other(data: bytes, long_side: int, max_pixels: int) -> Image:
    picture = _imdecode(data)
    if picture.shape[0] * picture.shape[1] > max_pixels:
        raise BadPicture(f"more than {max_pixels} pixels", code="bad_picture.too_large")
    return _fit(picture, long_side)


def _fit(picture: Image, long_side: int) -> Image:
    """Reduces by a whole factor, as long as `long_side` pixels stay."""
    factor = max(picture.shape[:2]) // long_side
    if factor < 2:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _imdecode(data: bytes) -> Image:
    """(H, W, 3) BGR uint8 as stored (TIFF: upright): `IMREAD_UNCHANGED` applies no orientation."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadPicture("the decoder refuses the picture", code="bad_picture.damaged") from error
    if picture is None or picture.size == 0:
        raise BadPicture("the picture does not decode", code="bad_picture.damaged")
    return _to_bgr(picture)


def _to_bgr(picture: Array) -> Image:
    """In strips, so that what lies between takes little beside the picture itself."""
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    elif picture.dtype != np.uint8:
        numbers = np.nan_to_num(picture.astype(np.float32), posinf=0.0, neginf=0.0)
        picture = np.asarray(cv2.normalize(numbers, numbers, 0, 255, cv2.NORM_MINMAX), dtype=np.uint8)
    if picture.ndim == 2:
        picture = picture[..., None]
    channels = picture.shape[2]
    if channels == 3:
        return np.ascontiguousarray(picture)
    ground = 0 if channels in (2, 4) and _is_light_drawing(picture[..., :channels - 1], picture[..., -1]) else 255
    colour = np.empty((*picture.shape[:2], 3), np.uint8)
    for top in range(0, len(picture), _STRIP):
        colour[top:top + _STRIP] = _strip_to_bgr(picture[top:top + _STRIP], ground)
    return colour


def _strip_to_bgr(strip: Image, ground: int) -> Image:
    """(H, W, 1 to 4) uint8; transparent parts as `ground`."""
    channels = strip.shape[2]
    colour = strip[..., :3] if channels >= 3 else np.repeat(strip[..., :1], 3, axis=2)
    if channels not in (2, 4):
        return colour
    cover = strip[..., -1:].astype(np.uint16)
    return np.asarray((colour * cover + ground * (255 - cover) + 127) // 255, dtype=np.uint8)


def _is_light_drawing(colour: Array, cover: Array) -> bool:
    """Whether what is drawn on a mostly transparent picture would vanish on white."""
    drawn = cover >= 128
    share = float(drawn.mean())
    return 0 < share < DRAWN_SHARE and int(np.percentile(colour[drawn].min(axis=1), 5)) >= LIGHT_LEVEL


def open_picture(data: bytes | None, long_side: int, jpeg: JpegDecoder | None = None) -> Photo | None:
    """As `decode`; None where the part is missing or is no picture: `decide` asks for it again."""
    if data is None:
        return None
    try:
        return decode(data, long_side, jpeg=jpeg)
    except BadPicture:
        return None
