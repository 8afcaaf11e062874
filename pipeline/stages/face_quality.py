"""How well a face can be seen: size in the photograph, sharpness, light, turn of the head. Measured, never judged here."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import FaceFound
from pipeline.networks.api import Image
from pipeline.networks.face_detector import LEFT_EYE, NOSE, RIGHT_EYE, Face

LOST_SIGMA = 1.5
"""Blur, in pixels of the aligned 112x112 face, that a sharp face loses much by and a soft one little."""


def face_found(face: Face, aligned: Image, frame_scale: float, photo_scale: float) -> FaceFound:
    """The evidence of one face.

    face: in pixels of the picture it was found in. aligned: (112, 112, 3) BGR, of the same face.
    frame_scale: what one pixel of that picture is in the frame that `FaceFound.box` is given in (mm or photo pixels).
    photo_scale: how many pixels of the photograph itself one pixel of that picture is.
    """
    x0, y0, x1, y1 = (value * frame_scale for value in face.box)
    grey = cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)
    return FaceFound(
        (x0, y0, x1, y1), face.score, face.eyes * photo_scale, sharpness(grey), float(np.median(grey)) / 255, yaw(face.landmarks)
    )


def sharpness(grey: NDArray[Any]) -> float:
    """Share of the contrast that a slight blur takes away: (H, W) uint8 -> 0..1. Flat pictures have none: 0."""
    pixels = grey.astype(np.float32)
    contrast = float(pixels.std())
    if contrast < 1.0:
        return 0.0
    detail = pixels - cv2.GaussianBlur(pixels, (0, 0), LOST_SIGMA)
    return min(1.0, float(detail.std()) / contrast)


def yaw(landmarks: NDArray[np.float64]) -> float:
    """Turn of the head from where the nose lies between the eyes: 0 in the middle, -1 or +1 over an eye or beyond.

    landmarks: (5, 2) as in `Face`. Positive: the nose points to the picture's right (for an upright face).
    """
    right, left = landmarks[RIGHT_EYE], landmarks[LEFT_EYE]
    half = (left - right) / 2
    length = float(half @ half)
    if length <= 0:
        return 0.0
    turn = float((landmarks[NOSE] - (right + left) / 2) @ half) / length
    return max(-1.0, min(1.0, turn))
