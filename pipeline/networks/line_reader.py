"""Before and after the two line readers: crops of text lines in, text and confidence out.

Both networks are convolutional with CTC (Graves et al., 2006): a grey uint8 line of a fixed height, any width that is a
multiple of 4, one column of output every 4 pixels. Normalisation and arg max are inside the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Array, Image, Net, Networks

STRIDE = 4
"""Pixels a column of the networks' output."""
BLANK = 0
"""CTC's blank; symbol k of an alphabet is class k + 1."""
LOOK_ALIKES = ("0O", "1I", "2Z", "5S", "6G", "7T", "8B")
"""A digit and the letter that is printed like it: where the type of a place is known, the two are one reading."""


@dataclass(frozen=True, slots=True)
class ReaderShape:
    """What a reader takes. `ink`: the share of the crop's height that capitals fill in training; `widths`: closed, ascending."""

    net: Net
    height: int
    alphabet: str
    widths: tuple[int, ...]
    ink: float


MRZ = ReaderShape(Net.MRZ_READER, 32, "<0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (480, 576, 704), 0.52)
"""TD1, TD2 and TD3 lines (30, 36, 44 symbols) get about 16 pixels a symbol."""
FIELDS = ReaderShape(
    Net.FIELD_READER, 48,
    " 0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZÁÉÍÓÚÜabcdefghijklmnñopqrstuvwxyzáéíóúü/-.,#:()",
    (64, 96, 128, 192, 256, 320, 384, 512, 704), 0.52)


@dataclass(frozen=True, slots=True)
class Reading:
    """Text of one line. confidence: product of the symbols' probabilities, 0..1 (1 for a line of nothing would lie: 0)."""

    text: str
    confidence: float
    weakest: float
    """Probability of the least certain symbol."""
    places: tuple[float, ...] = ()
    """Where each symbol was seen: its column's middle, in pixels of the reader's input."""
    typed: float = 0.0
    """As `confidence`, each symbol counted with its look-alike: for text in which digits and letters have fixed places."""


def read(crops: Sequence[Image], shape: ReaderShape, networks: Networks) -> tuple[Reading, ...]:
    """Reads grey (height, w) uint8 crops of any widths, in their order; one run for each width that occurs."""
    buckets: dict[int, list[int]] = {}
    for index, crop in enumerate(crops):
        buckets.setdefault(bucket_width(crop.shape[1], shape), []).append(index)
    readings: list[Reading] = [Reading("", 0.0, 0.0)] * len(crops)
    for width, indices in sorted(buckets.items()):
        batch = np.stack([pad(crops[index], width) for index in indices])
        for index, path, certain, alike in zip(indices, *networks.run(shape.net, batch), strict=True):
            readings[index] = greedy(path, certain, shape.alphabet, alike)
    return tuple(readings)


def bucket_width(width: int, shape: ReaderShape) -> int:
    """The narrowest closed width that holds a crop; the widest where none does (the crop is squeezed)."""
    return next((closed for closed in shape.widths if width <= closed), shape.widths[-1])


def pad(crop: Image, width: int) -> Image:
    """(h, w) to (h, width): squeezed if wider, else filled on the right with the crop's own median."""
    if crop.shape[1] > width:
        return np.asarray(cv2.resize(crop, (width, crop.shape[0]), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    padded = np.full((crop.shape[0], width), int(np.median(crop[::4, ::4])), np.uint8)
    padded[:, :crop.shape[1]] = crop
    return padded


def crop_line(card: Image, box: tuple[float, float, float, float], shape: ReaderShape, slope: float = 0.0) -> Image:
    """Cuts one line out of a grey card. `box`: the ink of its capitals, x0 y0 x1 y1 in card pixels; `slope`: dy/dx of the
    base line. Returns (shape.height, w) uint8 in which the ink fills `shape.ink` of the height, with the same margin at
    both ends; what lies beyond the card repeats its edge.
    """
    x0, y0, x1, y1 = box
    scale = shape.height * shape.ink / max(y1 - y0, 1.0)
    margin = 0.3 * (y1 - y0)
    width = max(round((x1 - x0 + 2 * margin) * scale), 2 * STRIDE)
    return cut(card, (x0 - margin, (y0 + y1) / 2, x1 + margin), shape.height, width, scale, slope)


def cut(card: Image, line: tuple[float, float, float], height: int, width: int, y_scale: float, slope: float = 0.0) -> Image:
    """A strip along a line (x0, y centre at the strip's middle, x1), resampled to (height, width). Scales differ in x and y."""
    x0, middle, x1 = line
    x_scale = width / max(x1 - x0, 1.0)
    inverse = np.array([[1 / x_scale, 0, x0 + 0.5 / x_scale - 0.5],
                        [slope / x_scale, 1 / y_scale, middle - slope * (x1 - x0) / 2 - height / 2 / y_scale]])
    shrink = min(x_scale, y_scale)
    flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    if shrink < ANTIALIAS_BELOW:
        y_from = max(int(inverse[1, 2] - abs(slope) * (x1 - x0)) - 4, 0)
        y_to = int(inverse[1, 2] + height / y_scale + abs(slope) * (x1 - x0)) + 4
        smooth = cv2.GaussianBlur(card[y_from:max(y_to, y_from + 1)], (0, 0), 0.35 / shrink)
        inverse[1, 2] -= y_from
        card = np.asarray(smooth, dtype=np.uint8)
    strip = cv2.warpAffine(card, inverse, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(strip, dtype=np.uint8)


ANTIALIAS_BELOW = 0.6
"""Linear sampling takes two pixels: below this scale the card is smoothed first."""


def greedy(path: Array, probabilities: NDArray[np.float32], alphabet: str, alike: NDArray[np.float32] | None = None) -> Reading:
    """CTC's best path: (T,) classes and their probabilities to text. A run's probability is its highest.

    alike: (T,) the same with each class's look-alike added; None: as `probabilities`."""
    alike = probabilities if alike is None else alike
    starts = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist()]
    letters: list[str] = []
    certain: list[float] = []
    typed: list[float] = []
    places: list[float] = []
    for start, end in zip(starts, [*starts[1:], len(path)], strict=True):
        if path[start] != BLANK:
            letters.append(alphabet[int(path[start]) - 1])
            certain.append(float(probabilities[start:end].max()))
            typed.append(float(alike[start:end].max()))
            places.append(STRIDE * (start + end) / 2)
    text = "".join(letters)
    if not text.strip():
        return Reading("", 0.0, 0.0)
    return Reading(text, math.prod(certain), min(certain), tuple(places), min(math.prod(typed), 1.0))
