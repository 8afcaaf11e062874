"""What lens and sensor do to the light, and how the file is written: blur, noise, JPEG, EXIF orientation."""

from __future__ import annotations

import math
import struct

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from models.specimens.camera_light import Field
from pipeline.networks.api import Image

_TILE = 512


def blur(image: Image, sigma: float) -> Image:
    """Defocus as a Gaussian of `sigma` photo pixels; strong blur is done on a reduced copy, which looks the same."""
    if sigma < 0.25:
        return image
    step = max(1, 2 ** int(math.log2(max(1.0, sigma / 3))))
    if step == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    small = cv2.resize(image, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)


def motion_blur(image: Image, length: float, angle: float) -> Image:
    """A box of `length` photo pixels along `angle` (degrees), as shaking hands draw it.

    By doubling: averaging a picture with itself shifted by L/2, then L/4, … spreads each point over 2^n places on the line.
    """
    steps = math.ceil(math.log2(length)) if length > 1 else 0
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for step in range(1, steps + 1):
        dx, dy = round(length / 2**step * cos), round(length / 2**step * sin)
        if dx or dy:
            # once to the one side, once to the other: the box stays centred within a pixel
            sign = 1 if step % 2 else -1
            image = np.asarray(cv2.addWeighted(image, 0.5, _shifted(image, sign * dx, sign * dy), 0.5, 0), np.uint8)
    return image


def _shifted(image: Image, dx: int, dy: int) -> Image:
    h, w = image.shape[:2]
    padded = cv2.copyMakeBorder(image, max(dy, 0), max(-dy, 0), max(dx, 0), max(-dx, 0), cv2.BORDER_REPLICATE)
    return np.asarray(padded[max(-dy, 0):max(-dy, 0) + h, max(-dx, 0):max(-dx, 0) + w], np.uint8)


def expose(rng: np.random.Generator, image: Image, gain: Field, veil: Field, noise: float, chroma: float) -> Image:
    """Lights a picture and lets the sensor see it: image * gain + veil + noise, rounded to 8 bits.

    image: (H, W, 3) BGR uint8.  gain: (h, w, 3), veil: (h, w), both reduced.  noise: sigma in 8-bit steps. Shot noise is
    close to constant in display values (its sigma grows as the root of light, the display's slope falls as about that),
    so one sigma serves the whole picture; `chroma` of it differs between the channels.
    """
    h, w = image.shape[:2]
    glow, (top, left) = _glow(veil, (w, h))
    shared = _grain(rng)
    turns = rng.integers(4, size=(math.ceil(h / _TILE), math.ceil(w / _TILE)))
    out = np.empty_like(image)
    for channel in range(3):
        field = cv2.resize(np.ascontiguousarray(gain[..., channel]), (w, h), interpolation=cv2.INTER_LINEAR)
        plane = np.asarray(cv2.multiply(np.ascontiguousarray(image[..., channel]), field, dtype=cv2.CV_32F), np.float32)
        part = plane[top:top + glow.shape[0], left:left + glow.shape[1]]
        part += glow * np.maximum(255 - part, 0)
        grain = noise * (math.sqrt(1 - chroma**2) * shared + chroma * _grain(rng))
        _add_tiled(plane, grain.astype(np.float32), turns)
        out[..., channel] = cv2.convertScaleAbs(np.maximum(plane, 0, out=plane))
    return out


def _glow(veil: Field, size: tuple[int, int]) -> tuple[Field, tuple[int, int]]:
    """The veil at the photo's size, only where there is any, and the top left of that part."""
    rows, columns = np.flatnonzero(veil.max(axis=1) > 0.002), np.flatnonzero(veil.max(axis=0) > 0.002)
    if rows.size == 0:
        return np.zeros((0, 0), np.float32), (0, 0)
    whole = cv2.resize(veil, size, interpolation=cv2.INTER_LINEAR)
    step = size[1] / veil.shape[0], size[0] / veil.shape[1]
    top, left = int(max(0, rows[0] - 1) * step[0]), int(max(0, columns[0] - 1) * step[1])
    bottom, right = int((rows[-1] + 2) * step[0]) + 1, int((columns[-1] + 2) * step[1]) + 1
    return np.asarray(whole[top:bottom, left:right], np.float32), (top, left)


def _grain(rng: np.random.Generator) -> Field:
    """A tile of unit noise, a little smooth, as demosaicing and a phone's own noise reduction leave it."""
    raw = rng.standard_normal((_TILE, _TILE), np.float32)
    soft = cv2.GaussianBlur(raw, (0, 0), 0.7, borderType=cv2.BORDER_REFLECT)
    coarse = cv2.GaussianBlur(raw[::-1, ::-1].copy(), (0, 0), 2.5, borderType=cv2.BORDER_REFLECT)
    mixed = soft / soft.std() + 0.45 * coarse / coarse.std()
    return np.asarray(mixed / mixed.std(), np.float32)


def _add_tiled(plane: Field, tile: Field, turns: NDArray[np.int64]) -> None:
    """Adds the tile everywhere, in place, each time by its own quarter turns so that no repetition shows."""
    turned = [np.ascontiguousarray(np.rot90(tile, k)) for k in range(4)]
    for (row, column), k in np.ndenumerate(turns):
        block = plane[row * _TILE:(row + 1) * _TILE, column * _TILE:(column + 1) * _TILE]
        block += turned[k][:block.shape[0], :block.shape[1]]


def encode(image: Image, quality: int, orientation: int, model: str, moment: str) -> bytes:
    """A JPEG (4:2:0) whose stored pixels, turned as its EXIF orientation says, are `image`.

    orientation: 1..8 of EXIF 2.3.  model, moment ("YYYY:MM:DD HH:MM:SS"): ASCII, written into EXIF.
    """
    body: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(stored(image, orientation)), quality, "BGR", "420")
    return body[:2] + _exif(orientation, model, moment) + body[2:]


def stored(image: Image, orientation: int) -> Image:
    """The pixels to store so that a viewer that follows `orientation` shows `image`."""
    if orientation not in range(1, 9):
        raise ValueError(f"EXIF orientation is 1 to 8, not {orientation}")
    # each viewer's action is undone: 2, 4, 5, 7 mirror; 3 turns by 180; 6 and 8 turn by a quarter
    return {1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: image.transpose(1, 0, 2),
            6: np.rot90(image, 1), 7: image[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(image, -1)}[orientation]


def _exif(orientation: int, model: str, moment: str) -> bytes:
    """An APP1 segment of one little-endian IFD: Make, Model, Orientation, DateTime."""
    texts = {0x010F: b"MUESTRA\0", 0x0110: model.encode("ascii") + b"\0", 0x0132: moment.encode("ascii") + b"\0"}
    entries, heap = [], b""
    start = 8 + 2 + 12 * (len(texts) + 1) + 4
    for tag, value in sorted([*texts.items(), (0x0112, b"")]):
        if tag == 0x0112:
            entries.append(struct.pack("<HHIHH", tag, 3, 1, orientation, 0))
        else:
            entries.append(struct.pack("<HHII", tag, 2, len(value), start + len(heap)))
            heap += value + b"\0" * (len(value) % 2)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0" + heap
    payload = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
