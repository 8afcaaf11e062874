"""Light on the scene: exposure, colour of the lamp, uneven light, shadows, vignetting, reflections.

Pixels are display values with a power law of `GAMMA`. A product of linear light by L is then a product of the display
value by L^(1/GAMMA), exactly; so all of the light folds into one gain a channel and one added veil, both smooth enough
to be drawn at a quarter of the photo's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.specimens.camera_pose import Pose
from pipeline.domain.evidence import BoxMm
from pipeline.stages.geometry import CARD_MM

Field = NDArray[np.float32]

GAMMA = 2.2
FIELD_SCALE = 4
"""Photo pixels a pixel of the fields of light."""
LAMPS: dict[str, tuple[float, float, float]] = {
    "daylight": (1.06, 1.0, 0.97), "overcast": (1.10, 1.0, 0.93), "office": (0.98, 1.02, 0.97),
    "warm": (0.78, 0.97, 1.12), "lamp": (0.66, 0.93, 1.20),
}
"""Linear gains of blue, green, red: what is left after a phone's white balance."""
BURNT = 0.85
"""Share of veil above which print on white card is gone: what `glare_share` counts."""


@dataclass(frozen=True, slots=True)
class Light:
    """How one photo is lit. `exposure`: linear gain on a white card; `uneven`: linear fall-off across the frame."""

    lamp: str
    exposure: float
    uneven: float
    shadow: float
    """Depth of the cast shadow, 0: none."""
    glare: float
    """Most of the card's area that may burn out, 0: none."""


def gains(rng: np.random.Generator, frame: tuple[int, int], light: Light) -> Field:
    """(h, w, 3) BGR gains on display values, at 1/`FIELD_SCALE` of a photo of (width, height)."""
    w, h = math.ceil(frame[0] / FIELD_SCALE), math.ceil(frame[1] / FIELD_SCALE)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    u, v = (x - w / 2) / max(w, h) * 2, (y - h / 2) / max(w, h) * 2
    angle = float(rng.uniform(0, 2 * math.pi))
    level = 1 - light.uneven * (0.5 + 0.5 * (u * math.cos(angle) + v * math.sin(angle)))
    vignette = float(rng.uniform(0.06, 0.22))
    level *= 1 - vignette * (u * u + v * v)
    if light.shadow > 0:
        level *= 1 - light.shadow * _shadow(rng, w, h)
    level = np.clip(level, 0.02, None) * light.exposure
    colour = np.array(LAMPS[light.lamp], np.float32)
    return np.asarray(np.power(level[..., None] * colour, 1 / GAMMA), np.float32)


def _shadow(rng: np.random.Generator, w: int, h: int) -> Field:
    """The shadow of a phone, a hand or a head: a large soft polygon that comes in from a side. 0..1."""
    size = max(w, h)
    angle, reach = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.0, 0.35)) * size
    centre = np.array([w / 2 + math.cos(angle) * (size * 0.75 - reach), h / 2 + math.sin(angle) * (size * 0.75 - reach)])
    corners = int(rng.integers(5, 9))
    turns = np.sort(rng.uniform(0, 2 * math.pi, corners))
    radii = rng.uniform(0.35, 0.75, corners) * size
    polygon = centre + np.column_stack([np.cos(turns) * radii, np.sin(turns) * radii])
    mask = np.zeros((h, w), np.float32)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.012, 0.06)) * size), np.float32)


def veil(rng: np.random.Generator, pose: Pose, light: Light, keep_clear: Sequence[BoxMm],
         target: BoxMm | None) -> tuple[Field, dict[str, Any]]:
    """Reflections of the card's glossy face, 0..1 at 1/`FIELD_SCALE` of the photo, and what to say of them in the truth.

    Always a faint sheen; with `light.glare` also one or two burnt spots, placed where they hurt `keep_clear` least, or
    upon `target`.
    """
    scale = 4
    w, h = round(CARD_MM[0] * scale), round(CARD_MM[1] * scale)
    card = _sheen(rng, w, h)
    facts: dict[str, Any] = {"glare_share": 0.0}
    if light.glare > 0 or target is not None:
        spots = _burn(rng, card, scale, light.glare, keep_clear, target)
        burnt = card >= BURNT
        facts = {"glare_share": round(float(np.mean(burnt)), 4), "glare_spots_mm": spots,
                 "glare_covers_mm2": round(_covered(burnt, scale, keep_clear), 1)}
    to_field = np.diag([1 / FIELD_SCALE, 1 / FIELD_SCALE, 1.0]) @ pose.card @ np.diag([1 / scale, 1 / scale, 1.0])
    size = (math.ceil(pose.width / FIELD_SCALE), math.ceil(pose.height / FIELD_SCALE))
    return np.asarray(cv2.warpPerspective(card, to_field, size), np.float32), facts


def _covered(burnt: NDArray[np.bool_], scale: int, boxes: Sequence[BoxMm]) -> float:
    """Area in mm2 of the boxes' union that is burnt."""
    needed = np.zeros_like(burnt)
    for box in boxes:
        x0, y0, x1, y1 = (max(0, round(v * scale)) for v in box)
        needed[y0:y1, x0:x1] = True
    return float(np.count_nonzero(burnt & needed)) / scale**2


def _sheen(rng: np.random.Generator, w: int, h: int) -> Field:
    """A broad weak band, as a window far off makes on laminate."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    angle = float(rng.uniform(0, math.pi))
    along = (x * math.cos(angle) + y * math.sin(angle)) / w
    centre, spread = float(rng.uniform(-0.2, 1.2)), float(rng.uniform(0.15, 0.5))
    return np.asarray(float(rng.uniform(0.0, 0.09)) * np.exp(-((along - centre) / spread) ** 2), np.float32)


def _burn(rng: np.random.Generator, card: Field, scale: int, most: float, keep_clear: Sequence[BoxMm],
          target: BoxMm | None) -> list[list[float]]:
    """Adds burnt spots to `card` in place; returns their boxes in mm."""
    area = CARD_MM[0] * CARD_MM[1]
    spots = []
    for _ in range(1 if target is not None else int(rng.integers(1, 3))):
        aspect = float(rng.uniform(1.0, 2.6))
        if target is not None:
            x0, y0, x1, y1 = target
            centre, axes, angle = ((x0 + x1) / 2, (y0 + y1) / 2), ((x1 - x0) * 0.62, (y1 - y0) * 0.62), 0.0
        else:
            share = float(rng.uniform(0.25, 0.5)) * most
            minor = math.sqrt(share * area / math.pi / aspect)
            axes, angle = (minor * aspect, minor), float(rng.uniform(0, 180))
            reach = max(axes) * 1.25
            tries = [(float(rng.uniform(0, CARD_MM[0])), float(rng.uniform(0, CARD_MM[1]))) for _ in range(40)]
            harm = [overlap((x - reach, y - reach, x + reach, y + reach), keep_clear) for x, y in tries]
            centre = tries[int(np.argmin(harm))]
        _add_spot(rng, card, scale, centre, axes, angle)
        spots.append([round(v, 2) for v in (centre[0] - axes[0], centre[1] - axes[1], centre[0] + axes[0], centre[1] + axes[1])])
    np.minimum(card, 1.0, out=card)
    return spots


def _add_spot(rng: np.random.Generator, card: Field, scale: int, centre: tuple[float, float], axes: tuple[float, float],
              angle: float) -> None:
    """An ellipse burnt to white whose rim falls off softly, with a weak halo."""
    spot = np.zeros_like(card)
    at = (round(centre[0] * scale * 16), round(centre[1] * scale * 16))
    size = (max(16, round(axes[0] * scale * 16)), max(16, round(axes[1] * scale * 16)))
    cv2.ellipse(spot, at, size, angle, 0, 360, 1.15, -1, cv2.LINE_AA, 4)
    rim = min(axes) * scale * float(rng.uniform(0.12, 0.3))
    core = cv2.GaussianBlur(spot, (0, 0), max(1.0, rim))
    halo = cv2.GaussianBlur(spot, (0, 0), max(2.0, rim * 3.5))
    card += np.maximum(core, 0.35 * halo)


def overlap(box: BoxMm, others: Sequence[BoxMm]) -> float:
    """Area in mm2 that `others` share with `box`, each counted by itself."""
    return sum(max(0.0, min(box[2], x1) - max(box[0], x0)) * max(0.0, min(box[3], y1) - max(box[1], y0))
               for x0, y0, x1, y1 in others)
