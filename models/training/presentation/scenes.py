"""What a photograph may be one of: a card on something, a copy on its sheet or cut out of it, a screen that shows a card."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.training.locator.textures import Library, random_colour
from models.training.presentation.prints import paper_colour
from models.training.presentation.screens import COARSEST, FINEST, shown
from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, CORNER_RADIUS_MM

Rng = np.random.Generator
AROUND_MM = 24.0
"""How far the ground reaches beyond the card."""
GROUND_PX_PER_MM = 5.0
_W, _H = CARD_MM
CARD_BOX: BoxMm = (0.0, 0.0, _W, _H)


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture in the plane of the card. box: the mm that it covers.  radius: of its corners, mm.  cell: for a screen, which
    shines by itself whatever the room's light is: the light of one cell of its pixels, and `picture` has a pixel of each."""

    picture: Image
    box: BoxMm = CARD_BOX
    radius: float = CORNER_RADIUS_MM
    cell: Image | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """ground: from above, GROUND_PX_PER_MM, AROUND_MM beyond the card on each side.  layer: what lies on it.  thick: a card's
    edge shows, mm.  gloss: how strongly the face reflects, 0 paper to 1 laminate or glass.  dark: how dim the room is, 0..1."""

    ground: Image
    layer: Layer
    thick: float
    gloss: float
    dark: float = 0.0


def ground_of(rng: Rng, library: Library) -> Image:
    """Something to lie on, now and then a sheet of paper or a screen, at any scale and colour."""
    size = (round((_W + 2 * AROUND_MM) * GROUND_PX_PER_MM), round((_H + 2 * AROUND_MM) * GROUND_PX_PER_MM))
    surface = library.surfaces[int(rng.integers(len(library.surfaces)))]
    if rng.random() < 0.3:
        surface = np.full((8, 8, 3), 255 * paper_colour(rng) if rng.random() < 0.5 else random_colour(rng), np.uint8)
    crop = surface[:max(8, int(len(surface) * rng.uniform(0.4, 1))), :max(8, int(surface.shape[1] * rng.uniform(0.4, 1)))]
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _rectangle(ground: Image, box: BoxMm, colour: np.ndarray, radius: float = 0.0) -> None:
    """A filled rectangle with round corners on the ground, in place."""
    x0, y0, x1, y1 = (round((v + AROUND_MM) * GROUND_PX_PER_MM) for v in box)
    r = round(radius * GROUND_PX_PER_MM)
    tone = [float(c) for c in colour]
    cv2.rectangle(ground, (x0 + r, y0), (x1 - r, y1), tone, -1)
    cv2.rectangle(ground, (x0, y0 + r), (x1, y1 - r), tone, -1)
    for x, y in ((x0 + r, y0 + r), (x1 - r, y0 + r), (x1 - r, y1 - r), (x0 + r, y1 - r)):
        cv2.circle(ground, (x, y), r, tone, -1)


def _shade(rng: Rng, ground: Image, box: BoxMm, reach: float, depth: float) -> None:
    """The soft shadow of what lies at `box`, to one side, in place."""
    mask = np.zeros((*ground.shape[:2], 3), np.uint8)
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    _rectangle(mask, (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy), np.array([255, 255, 255]), 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.6, reach * rng.uniform(0.4, 1.2) * GROUND_PX_PER_MM)).astype(np.float32) / 255
    np.copyto(ground, (ground * (1 - depth * soft)).astype(np.uint8))


def card_scene(rng: Rng, side: Image, library: Library) -> Scene:
    """The card itself, as laid down, or held (no shadow)."""
    ground = ground_of(rng, library)
    if rng.random() < 0.1:  # upon a page, a letter or a copy: paper round a card says nothing by itself
        _page(rng, ground, 255 * paper_colour(rng))
    if rng.random() < 0.06:  # upon a tablet or a closed telephone
        _bezel(rng, ground, float(rng.uniform(2, 15)), random_colour(rng, 5, 200))
    if rng.random() < 0.85:
        _shade(rng, ground, CARD_BOX, float(rng.uniform(0.2, 2.0)), float(rng.uniform(0.1, 0.65)))
    return Scene(ground, Layer(side), float(rng.uniform(0.5, 0.9)), float(rng.uniform(0.2, 1)))


def _page(rng: Rng, ground: Image, paper: np.ndarray) -> None:
    """A sheet whose edges may come near the card, in place."""
    x0, y0, x1, y1 = rng.uniform(2, 60, 4)
    box = (-x0, -y0, _W + x1, _H + y1)
    _shade(rng, ground, box, 0.6, 0.3)
    _rectangle(ground, box, paper)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 9))):  # print elsewhere on the page
            y = rng.uniform(-20, -3) if rng.random() < 0.5 else rng.uniform(_H + 3, _H + 20)
            x = rng.uniform(-20, _W)
            _rectangle(ground, (x, y, x + rng.uniform(5, 50), y + rng.uniform(0.6, 2)), np.full(3, rng.uniform(30, 120)))


def paper_scene(rng: Rng, copy: Image, library: Library) -> Scene:
    """A copy: on its whole sheet, cut out with square or round corners, or with a rim of paper left."""
    ground, kind = ground_of(rng, library), rng.random()
    paper = np.percentile(copy[::9, ::9].reshape(-1, 3), 97, axis=0)
    radius, box = 0.0, CARD_BOX
    if kind < 0.4:
        _page(rng, ground, paper)
        radius = CORNER_RADIUS_MM if rng.random() < 0.75 else 0.0
    else:
        if kind < 0.6:
            left, top, right, bottom = rng.uniform(0.2, 3.5, 4)
            box = (-left, -top, _W + right, _H + bottom)
            radius = CORNER_RADIUS_MM if rng.random() < 0.6 else 0.0
        elif kind < 0.78:
            radius = float(rng.uniform(0, 0.6))
        else:
            radius = float(rng.uniform(2, 4))
        if rng.random() < 0.8:
            _shade(rng, ground, box, float(rng.uniform(0.05, 1.2)), float(rng.uniform(0.05, 0.5)))
        if kind < 0.6:
            _rectangle(ground, box, paper)
    gloss = float(rng.uniform(0.2, 0.9) if rng.random() < 0.15 else rng.uniform(0, 0.15))  # some are laminated
    return Scene(ground, Layer(copy, radius=radius), 0.1, gloss)


def _bezel(rng: Rng, ground: Image, gap: float, inner: np.ndarray) -> None:
    """A device: its dark frame, and what its screen shows round the card, `gap` mm wide, in place."""
    gaps = gap * rng.uniform(0.3, 1.5, 4)
    box = (-gaps[0], -gaps[1], _W + gaps[2], _H + gaps[3])
    rim = rng.uniform(1, 14, 4)
    _rectangle(ground, (box[0] - rim[0], box[1] - rim[1], box[2] + rim[2], box[3] + rim[3]), random_colour(rng, 5, 60, 8),
               float(rng.uniform(0, 3)))
    _rectangle(ground, box, inner)


def screen_scene(rng: Rng, picture: Image, library: Library) -> Scene:
    """A screen that shows the card alone on a plain colour, or in the photograph that somebody took of it."""
    ground = ground_of(rng, library)
    across = int(np.exp(rng.uniform(np.log(COARSEST), np.log(FINEST))))
    gap = float(rng.uniform(0, 14))
    inner = random_colour(rng, 5, 255, 12) if rng.random() < 0.3 else np.full(3, rng.choice([8, 30, 235, 250]))
    round_it = rng.random() < 0.8
    if rng.random() < 0.45:
        first = cv2.resize(ground_of(rng, library), (600, round(600 * (_H + 2 * gap) / (_W + 2 * gap))))
    else:
        first = np.full((40, 60, 3), np.clip(inner, 0, 255), np.uint8)
    scale = picture.shape[1] / _W
    whole = cv2.resize(first, (round((_W + 2 * gap) * scale), round((_H + 2 * gap) * scale)))
    left, top = round(gap * scale), round(gap * scale)
    place = whole[top:top + picture.shape[0], left:left + picture.shape[1]]
    picture = picture[:place.shape[0], :place.shape[1]]
    mask = rounded(picture.shape[1], picture.shape[0], CORNER_RADIUS_MM * scale if round_it else 0.0)
    cv2.copyTo(picture, mask, place)
    colours, cell = shown(rng, np.asarray(whole, np.uint8), round(across * whole.shape[1] / picture.shape[1]))
    if rng.random() < 0.75:
        _bezel(rng, ground, max(gap, 0.5) + float(rng.uniform(0, 6)), inner * 0.9)
    box = (-gap, -gap, _W + gap, _H + gap)
    return Scene(ground, Layer(colours, box, 0.0, cell), 0.0, float(rng.uniform(0, 1)), float(rng.uniform(0, 0.85)))


def rounded(width: int, height: int, radius: float) -> Image:
    """(height, width) 255 within the outline."""
    mask = np.zeros((height, width), np.uint8)
    r = round(radius)
    if r < 1:
        mask[:] = 255
        return mask
    cv2.rectangle(mask, (r, 0), (width - 1 - r, height - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (width - 1, height - 1 - r), 255, -1)
    for x, y in ((r, r), (width - 1 - r, r), (width - 1 - r, height - 1 - r), (r, height - 1 - r)):
        cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)
    return mask
