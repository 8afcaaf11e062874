"""YuNet's work before and after the network: letterbox, grid decoding, suppression of doubles.

Output layout and decoding follow YuNet's paper (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", 2023):
for each stride, a grid of cells with a class score, an objectness score, a box and five landmarks relative to the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Array, Image

STRIDES = (8, 16, 32)
MULTIPLE = 32
"""Input sides are multiples of the largest stride."""
MAX_OVERLAP = 0.3
"""Intersection over union above which two boxes are one face: the value of YuNet's own demonstration."""

RIGHT_EYE, LEFT_EYE, NOSE = 0, 1, 2
"""Landmark rows, named from the person's own side; rows 3 and 4 are the mouth's right and left corner."""


@dataclass(frozen=True, eq=False, slots=True)
class Face:
    """A detected face, in pixels of the picture it was looked for in.

    box: x0, y0, x1, y1.  score: 0..1.  landmarks: (5, 2) float64: right eye, left eye, nose, right and left mouth corner
    (the person's own sides; on an upright picture the right eye is at the left).
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: NDArray[np.float64]

    @property
    def eyes(self) -> float:
        """Distance between the eyes."""
        return float(np.hypot(*(self.landmarks[LEFT_EYE] - self.landmarks[RIGHT_EYE])))

    def moved(self, scale: float, x: float, y: float) -> Face:
        """The same face in another frame: p' = p * scale + (x, y)."""
        x0, y0, x1, y1 = self.box
        box = (x0 * scale + x, y0 * scale + y, x1 * scale + x, y1 * scale + y)
        return Face(box, self.score, self.landmarks * scale + np.array([x, y]))

    def turned_back(self, quarter_turns: int, side: int) -> Face:
        """Found in a square picture after `np.rot90(picture, quarter_turns)`: the same face in the picture itself.

        side: of the square, in pixels.  The landmarks keep their names, so the eyes' line says how the face is turned.
        """
        corners = np.array([self.box[:2], self.box[2:]])
        points = self.landmarks
        for _ in range(quarter_turns % 4):
            # counter-clockwise: turned[y, x] = picture[x, side - 1 - y]
            corners = np.stack([side - 1 - corners[:, 1], corners[:, 0]], axis=1)
            points = np.stack([side - 1 - points[:, 1], points[:, 0]], axis=1)
        box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        return Face(box, self.score, points)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the network's input: input = picture * scale + offset."""

    scale: float
    x: int
    y: int

    def back(self, face: Face) -> Face:
        """From pixels of the input to pixels of the picture."""
        return face.moved(1 / self.scale, -self.x / self.scale, -self.y / self.scale)


def letterbox(image: Image, size: tuple[int, int], margin: float) -> tuple[Array, Letterbox]:
    """(H, W, 3) BGR or (H, W) grey, uint8, into a (1, 3, height, width) float32 batch of 0..255 BGR, as YuNet eats it.

    size: width and height of the input, multiples of 32. margin: share of the input left free around the picture, so
    that a face which fills the picture is still smaller than the largest that the network knows. The free part is grey.
    """
    width, height = size
    if width % MULTIPLE or height % MULTIPLE:
        raise ValueError(f"{size} are not multiples of {MULTIPLE}")
    free = 1.0 - margin
    scale = min(width * free / image.shape[1], height * free / image.shape[0])
    w, h = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    resized = reduced(image, w, h)
    canvas = np.full((height, width, 3), 127, dtype=np.uint8)
    x, y = (width - w) // 2, (height - h) // 2
    canvas[y : y + h, x : x + w] = resized if resized.ndim == 3 else resized[:, :, None]
    return canvas.transpose(2, 0, 1)[None].astype(np.float32), Letterbox(scale, x, y)


def reduced(image: Image, width: int, height: int) -> Image:
    """The picture at another size, without the aliasing of plain linear interpolation and at a fifth of the cost of area.

    Linear to a whole multiple of the size, then the mean of whole blocks, for which OpenCV has fast code.
    """
    shrinks = image.shape[1] / width
    blocks = next((k for k in (4, 2) if shrinks >= k), 1)
    larger = cv2.resize(image, (width * blocks, height * blocks), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(larger, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def faces_of(outputs: Sequence[Array], size: tuple[int, int], minimum: float) -> tuple[Face, ...]:
    """The faces in one picture, best first, in pixels of the network's input.

    outputs: the network's twelve, each (1, cells, …): class, objectness, box and landmarks by stride.
    minimum: score below which a cell is no face; the score is the geometric mean of class and objectness.
    """
    classes, objects, boxes, points = (outputs[k : k + 3] for k in (0, 3, 6, 9))
    found: list[Face] = []
    for k, stride in enumerate(STRIDES):
        columns = size[0] // stride
        scores = np.sqrt(np.clip(classes[k][0, :, 0], 0, 1) * np.clip(objects[k][0, :, 0], 0, 1))
        for cell in np.flatnonzero(scores >= minimum):
            origin = np.array([cell % columns, cell // columns], dtype=np.float64)
            centre = (origin + boxes[k][0, cell, :2]) * stride
            half = np.exp(boxes[k][0, cell, 2:].astype(np.float64)) * stride / 2
            landmarks = (origin + points[k][0, cell].reshape(5, 2)) * stride
            box = (*(centre - half).tolist(), *(centre + half).tolist())
            found.append(Face(box, float(scores[cell]), landmarks))
    kept: list[Face] = []
    for face in sorted(found, key=lambda item: -item.score):
        if all(overlap(face.box, other.box) <= MAX_OVERLAP for other in kept):
            kept.append(face)
    return tuple(kept)


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes, 0..1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
