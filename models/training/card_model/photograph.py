"""What a phone and an imprecise rectification make of a flat side, up to `hard`: a new picture at every call, in 2 ms."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.card_model.config import FLAT_HEIGHT, FLAT_WIDTH
from pipeline.networks.api import Image
from pipeline.networks.card_model import HEIGHT, WIDTH
from pipeline.networks.locator import halved

Rng = np.random.Generator
Plane = NDArray[np.float32]
_FRAME = np.array([[0, 0], [FLAT_WIDTH, 0], [FLAT_WIDTH, FLAT_HEIGHT], [0, FLAT_HEIGHT]], np.float32) - 0.5
_OFF = (0.004, 0.012, 0.03)
"""Largest error of a corner as a share of the card's sides: exact, usual, and about IoU 0.9."""
_RADIUS = round(3.18 / 85.6 * FLAT_WIDTH)
"""ISO/IEC 7810: corners round by 3.18 mm."""


class Camera:
    """Tables drawn once: noise, and surfaces that show beyond the card's edge."""

    def __init__(self, rng: Rng, around: NDArray[np.uint8]) -> None:
        """around: (N, 270, 428, 3) BGR uint8, surfaces."""
        self.rng = rng
        self.around = around
        self.noise = rng.standard_normal((HEIGHT * 3, WIDTH * 3, 3), np.float32)

    def photograph(self, flat: Image, *, half_turn: bool) -> Image:
        """`flat`: (270, 428, 3) BGR uint8.  Returns (135, 214, 3) BGR uint8 as the network sees it."""
        rng = self.rng
        small = halved(self._placed(np.ascontiguousarray(flat[::-1, ::-1]) if half_turn else flat))
        small = _blurred(small, rng)
        lit = self._lit(small)
        if rng.random() < 0.12:
            _, coded = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 92))])
            lit = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
        return lit

    def _placed(self, flat: Image) -> Image:
        """The card with round corners as wrong corners rectify it, a finger or two over it."""
        rng = self.rng
        picture = np.ascontiguousarray(self.around[int(rng.integers(len(self.around)))])
        off = _OFF[int(rng.choice(3, p=[0.35, 0.45, 0.2]))]
        corners = _FRAME + rng.uniform(-off, off, (4, 2)).astype(np.float32) * (FLAT_WIDTH, FLAT_HEIGHT)
        grown = 1 + rng.uniform(-off, off)
        middle = corners.mean(axis=0)
        corners = (middle + (corners - middle) * grown).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(_FRAME, corners)
        size = (FLAT_WIDTH, FLAT_HEIGHT)
        warped = cv2.warpPerspective(flat, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        outline = cv2.perspectiveTransform(_ROUNDED, matrix).astype(np.int32)
        mask = np.zeros((FLAT_HEIGHT, FLAT_WIDTH), np.uint8)
        cv2.fillConvexPoly(mask, outline, 255)
        cv2.copyTo(warped, mask, picture)
        for _ in range(int(rng.choice(3, p=[0.8, 0.15, 0.05]))):
            _finger(picture, rng)
        return picture

    def _lit(self, small: Image) -> Image:
        """Uneven light, shadow, glare, colour of the lamp, level, noise."""
        rng = self.rng
        x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]
        y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
        tilt = rng.uniform(-0.3, 0.3, 2) * rng.random()
        gain = np.asarray(1 + tilt[0] * x + tilt[1] * y, np.float32)
        if rng.random() < 0.3:
            gain *= 1 - rng.uniform(0.1, 0.65) * _shadow(rng)
        level = rng.uniform(0.75, 1.2) if rng.random() < 0.75 else rng.uniform(0.22, 0.75)
        tone = rng.uniform(0.82, 1.18, 3).astype(np.float32) * np.float32(level)
        lit = small.astype(np.float32)
        if rng.random() < 0.12:
            lit = np.repeat(lit.mean(axis=2, keepdims=True), 3, axis=2)
        lit *= gain[..., None] * tone
        for _ in range(int(rng.choice(3, p=[0.6, 0.28, 0.12]))):
            lit += (_glare(rng) * np.float32(rng.uniform(60, 330)))[..., None]
        if rng.random() < 0.3:  # flat contrast: fog on the lens, thin print, a tired display
            lit = lit * np.float32(rng.uniform(0.45, 1.0)) + np.float32(rng.uniform(0, 70))
        top, left = int(rng.integers(0, 2 * HEIGHT)), int(rng.integers(0, 2 * WIDTH))
        lit += self.noise[top:top + HEIGHT, left:left + WIDTH] * np.float32(rng.uniform(0.5, 7))
        return np.clip(lit, 0, 255).astype(np.uint8)


def _rounded() -> NDArray[np.float32]:
    """(1, N, 2): the card's outline with round corners, in flat pixels."""
    turn = np.linspace(0, np.pi / 2, 6)
    corners = []
    for quarter, (x, y) in enumerate(((1, 1), (0, 1), (0, 0), (1, 0))):
        centre = np.array([x * (FLAT_WIDTH - 1 - 2 * _RADIUS) + _RADIUS, y * (FLAT_HEIGHT - 1 - 2 * _RADIUS) + _RADIUS])
        angle = turn + quarter * np.pi / 2
        corners.append(centre + _RADIUS * np.stack((np.cos(angle), np.sin(angle)), axis=1))
    return np.concatenate(corners)[None].astype(np.float32)


_ROUNDED = _rounded()


def _blurred(small: Image, rng: Rng) -> Image:
    if rng.random() < 0.45:
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.3, 1.7))), dtype=np.uint8)
    if rng.random() < 0.2:
        size = int(rng.integers(3, 8))
        kernel = np.zeros((size, size), np.float32)
        angle = rng.uniform(0, np.pi)
        reach = (size - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
        middle = np.array([(size - 1) / 2] * 2)
        ends = [np.round(middle + sign * reach).astype(int).tolist() for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        small = np.asarray(cv2.filter2D(small, -1, kernel / kernel.sum()), dtype=np.uint8)
    return small


def _shadow(rng: Rng) -> Plane:
    mask = np.zeros((HEIGHT // 3, WIDTH // 3), np.float32)
    centre = rng.uniform(0, 1, 2) * (WIDTH // 3, HEIGHT // 3)
    points = centre + rng.normal(0, 40, (5, 2))
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.6, 8)))
    return np.asarray(cv2.resize(soft, (WIDTH, HEIGHT)), dtype=np.float32)


def _glare(rng: Rng) -> Plane:
    spot = np.zeros((HEIGHT // 3, WIDTH // 3), np.float32)
    centre = (rng.uniform(-0.05, 1.05, 2) * (WIDTH // 3, HEIGHT // 3)).astype(int).tolist()
    axes = (int(rng.integers(2, 17)), int(rng.integers(2, 11)))
    cv2.ellipse(spot, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(spot, (0, 0), float(rng.uniform(0.8, 6)))
    return np.asarray(cv2.resize(soft, (WIDTH, HEIGHT)), dtype=np.float32)


def _finger(picture: Image, rng: Rng) -> None:
    """Skin from beyond an edge onto the card, in place."""
    edge = int(rng.integers(4))
    along = rng.uniform(0, 1)
    root = np.array([along, -0.2 if edge == 0 else 1.2]) if edge < 2 else np.array([-0.15 if edge == 2 else 1.15, along])
    inward = np.array([0.5, 0.5]) - root
    tip = root + inward * rng.uniform(0.25, 0.75)
    skin = (np.array([110, 145, 200]) * rng.uniform(0.3, 1.2) + rng.uniform(-15, 15, 3)).clip(0, 255)
    ends = [(point * (FLAT_WIDTH, FLAT_HEIGHT)).astype(int).tolist() for point in (root, tip)]
    width = int(rng.integers(28, 80))
    cv2.line(picture, ends[0], ends[1], (skin * 0.75).tolist(), width, cv2.LINE_AA)
    cv2.line(picture, ends[0], ends[1], skin.tolist(), int(width * 0.75), cv2.LINE_AA)
