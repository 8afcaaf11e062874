"""SFace's work before and after the network: alignment to its frame, and the unit vector.

The frame is the one of ArcFace (Deng and others, 2019), which SFace was trained on: 112x112, five points in fixed places.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Array, Image

SIDE = 112
FRAME = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where eyes, nose and mouth corners go, in the order of the detector's landmarks (ArcFace's published template)."""
DIMENSIONS = 128

_SHRINK_BELOW = 0.5
"""Linear warping looks at 2x2 pixels, so a face that shrinks by more than two is reduced by area first."""


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) similarity transform, least squares, that takes (N, 2) points to (N, 2) points.

    As complex numbers w = a z + b, with a = sum(conj(z) w) / sum(|z|^2) over the centred points: turns, scales and
    moves, and never mirrors. Raises `ValueError` where all source points are one.
    """
    z, w = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    zc, wc = z - z.mean(), w - w.mean()
    spread = float(np.sum(np.abs(zc) ** 2))
    if spread <= 0:
        raise ValueError("the points of a face are all in one place")
    a = np.sum(np.conj(zc) * wc) / spread
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(image: Image, landmarks: NDArray[np.float64]) -> Image:
    """The face in the recogniser's frame: (112, 112, 3) BGR uint8. landmarks: (5, 2) in pixels of `image` (H, W, 3) BGR."""
    matrix = similarity(landmarks, FRAME)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < _SHRINK_BELOW:
        image, landmarks = _shrunk(image, landmarks, matrix, scale)
        matrix = similarity(landmarks, FRAME)
    warped = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.uint8)


def _shrunk(
    image: Image, landmarks: NDArray[np.float64], matrix: NDArray[np.float64], scale: float
) -> tuple[Image, NDArray[np.float64]]:
    """The part of the picture that the frame covers, reduced by area to about the frame's own scale."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]]) @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (image.shape[1], image.shape[0]))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return image, landmarks
    crop = image[y0:y1, x0:x1]
    w, h = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    reduced = cv2.resize(crop, (w, h), interpolation=cv2.INTER_AREA)
    ratio = np.array([w / crop.shape[1], h / crop.shape[0]])
    # pixel centres: (p + 1/2) * ratio - 1/2
    return np.asarray(reduced, dtype=np.uint8), (landmarks - [x0, y0] + 0.5) * ratio - 0.5


def to_batch(faces: list[Image]) -> Array:
    """Aligned BGR faces as (N, 3, 112, 112) float32 RGB of 0..255: SFace centres and scales inside its graph."""
    return np.stack([face[:, :, ::-1].transpose(2, 0, 1) for face in faces]).astype(np.float32)


def unit_vectors(output: Array) -> NDArray[np.float32]:
    """(N, 128) features to unit length, float32, so that a dot product is the cosine."""
    lengths = np.linalg.norm(output, axis=1, keepdims=True)
    return np.asarray(output / np.maximum(lengths, 1e-12), dtype=np.float32)
