"""Composites: a surface, clutter, documents under perspective, hands, light, and the camera's own faults."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.locator.config import MAX_DOCUMENTS, VIEW_HEIGHT, VIEW_WIDTH
from models.training.locator.documents import ID1_RATIO, draw_card, draw_page
from models.training.locator.textures import Image, Library, Rng, patch, random_colour

WIDTH, HEIGHT = 384, 288
"""Scenes are drawn at 1.5 times the network's input and reduced, so that edges are as soft as a camera's."""
Quad = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scene:
    """picture: (192, 256, 3) BGR.  quads: (6, 4, 2) in shares of the frame, clockwise, NaN where there is none; the
    first is the main one.  single: the main quad is whole, and clearly the largest: its corners can be asked for."""

    picture: Image
    quads: NDArray[np.float32]
    single: bool


KINDS = {"card": 0.4, "page": 0.12, "shown": 0.12, "several": 0.1, "cut": 0.18, "none": 0.08}
"""What is laid, and how often. shown: a card on a sheet or screen hardly larger than itself, as copies and phones show it."""
NEAR, FAR, FAR_OFTEN = (0.25, 1.0), (0.11, 0.27), 0.2
"""Shares of the frame's width that a document's long side takes; far ones are found so that it can be said what they are."""


def draw_scene(rng: Rng, library: Library, kinds: dict[str, float] | None = None) -> Scene:
    """One scene of a random kind, by default as often as `KINDS` says."""
    kinds = kinds or KINDS
    photos = library.photos
    picture = _background(rng, library.surfaces)
    kind = str(rng.choice(list(kinds), p=list(kinds.values())))
    _clutter(rng, picture, photos, int(rng.integers(0, 9)))
    if rng.random() < (0.35 if kind == "card" else 0.15):
        _sheets_below(rng, picture, photos, kind)
    quads = _place(rng, picture, photos, kind)
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.66, 0.18, 0.1, 0.06]))):
        _finger(rng, picture, quads)
    if rng.random() < 0.15:
        _cable(rng, picture)
    shown = _camera(rng, _light(rng, picture, quads))
    table = np.full((MAX_DOCUMENTS, 4, 2), np.nan, np.float32)
    quads = sorted(quads, key=_area, reverse=True)[:MAX_DOCUMENTS]
    for index, quad in enumerate(quads):
        table[index] = (quad + 0.5) / (WIDTH, HEIGHT)
    whole = bool(quads) and bool((table[0] > 0.004).all() and (table[0] < 0.996).all())
    clear = len(quads) == 1 or (len(quads) > 1 and _area(quads[0]) > 2.5 * _area(quads[1]))
    return Scene(shown, table, whole and clear)


def _area(quad: Quad) -> float:
    return float(cv2.contourArea(quad.astype(np.float32)))


def _background(rng: Rng, surfaces: list[Image]) -> Image:
    size = int(rng.uniform(1.0, 2.2) * WIDTH)
    share = WIDTH / size
    base = surfaces[int(rng.integers(len(surfaces)))]
    crop = max(8, int(base.shape[0] * share))
    y, x = rng.integers(0, base.shape[0] - crop + 1, 2)
    piece = np.rot90(base[y:y + crop, x:x + crop], int(rng.integers(4)))[:, :: int(rng.choice([-1, 1]))]
    square = np.clip(piece * rng.uniform(0.85, 1.15, 3).astype(np.float32), 0, 255).astype(np.uint8)
    picture = np.asarray(cv2.resize(square, (WIDTH, WIDTH), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)[:HEIGHT].copy()
    if rng.random() < 0.3:
        other = np.asarray(cv2.resize(surfaces[int(rng.integers(len(surfaces)))], (WIDTH, HEIGHT)), dtype=np.uint8)
        angle, offset = rng.uniform(0, 6.28), rng.uniform(-0.35, 0.35) * WIDTH
        yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
        side = (xx - WIDTH / 2) * np.cos(angle) + (yy - HEIGHT / 2) * np.sin(angle) > offset
        picture[side] = other[side]
    return picture


def _clutter(rng: Rng, picture: Image, photos: list[Image], count: int) -> None:
    for _ in range(count):
        centre = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, HEIGHT)))
        tint = random_colour(rng).tolist()
        kind = rng.integers(5)
        if kind == 0:
            axes = (int(rng.uniform(4, 70)), int(rng.uniform(4, 70)))
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, tint, -1, cv2.LINE_AA)
        elif kind == 1:
            box = cv2.boxPoints((centre, (rng.uniform(10, 150), rng.uniform(6, 90)), rng.uniform(0, 180)))
            cv2.fillConvexPoly(picture, box.astype(np.int32), tint, cv2.LINE_AA)
            if rng.random() < 0.4:
                cv2.polylines(picture, [box.astype(np.int32)], True, random_colour(rng).tolist(), 2, cv2.LINE_AA)
        elif kind == 2:
            _cable(rng, picture)
        elif kind == 3:
            h, w = int(rng.uniform(20, 110)), int(rng.uniform(20, 110))
            piece = patch(rng, photos, h, w)
            y, x = int(rng.uniform(0, HEIGHT - h)), int(rng.uniform(0, WIDTH - w))
            picture[y:y + h, x:x + w] = piece
        else:
            end = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, HEIGHT)))
            cv2.line(picture, centre, end, tint, int(rng.integers(1, 14)), cv2.LINE_AA)


def _cable(rng: Rng, picture: Image) -> None:
    t = np.linspace(0, 1, 40)
    ends = rng.uniform(-0.1, 1.1, (4, 2)) * (WIDTH, HEIGHT)
    curve = sum(c * ((1 - t) ** (3 - i) * t**i)[:, None] * end for i, (c, end) in enumerate(zip((1, 3, 3, 1), ends, strict=True)))
    tint = random_colour(rng, 0, 255, 30).tolist()
    cv2.polylines(picture, [np.asarray(curve).astype(np.int32)], False, tint, int(rng.integers(1, 8)), cv2.LINE_AA)


def _sheets_below(rng: Rng, picture: Image, photos: list[Image], kind: str) -> None:
    """Papers, books, screens under or beside the document: no target, larger than a card, or reaching out of the frame."""
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.7:
            sheet, cover, ratio = draw_page(rng, photos)
        else:
            ratio = rng.uniform(1.3, 2.0)
            sheet, cover = draw_card(rng, photos, ratio)
        size = rng.uniform(0.8, 1.8) if kind in {"card", "cut", "several"} else rng.uniform(0.5, 1.3)
        centre = rng.uniform(-0.1, 1.1, 2) * (WIDTH, HEIGHT)
        _paste(rng, picture, sheet, cover, _project(rng, ratio, size, centre, 25))


def _project(rng: Rng, ratio: float, share: float, centre: NDArray[np.float64], tilt: float) -> Quad:
    """Corners in pixels of a ratio x 1 rectangle, turned anyhow, tilted up to `tilt` degrees, whose long side takes about
    `share` of the frame's width, seen by a camera with an ordinary angle of view."""
    flat = np.array([[-ratio, -1, 0], [ratio, -1, 0], [ratio, 1, 0], [-ratio, 1, 0]]) / ratio
    turn = rng.choice([0, 90, 180, 270]) + rng.normal(0, 9) if rng.random() < 0.6 else rng.uniform(0, 360)
    pitch, yaw = rng.uniform(-tilt, tilt, 2) * rng.uniform(0, 1)
    rotation, _ = cv2.Rodrigues(np.radians([pitch, yaw, 0.0]))
    spin, _ = cv2.Rodrigues(np.radians([0.0, 0.0, turn]))
    points = flat @ (rotation @ spin).T
    focal = rng.uniform(0.8, 2.2)
    depth = focal * 2 / share
    seen = points[:, :2] * focal / (depth + points[:, 2:]) * WIDTH
    return np.asarray(seen + centre, dtype=np.float64)


def _fit_inside(rng: Rng, quad: Quad, margin: float) -> Quad:
    """Moves and, if need be, shrinks the quad so that it lies in the frame."""
    low, high = quad.min(0), quad.max(0)
    room = np.array([WIDTH - 1, HEIGHT - 1]) - 2 * margin
    shrink = min(1.0, float((room / (high - low)).min()))
    quad = (quad - low) * shrink
    slack = room - (high - low) * shrink
    return np.asarray(quad + margin + rng.uniform(0, 1, 2) * slack, dtype=np.float64)


def _place(rng: Rng, picture: Image, photos: list[Image], kind: str) -> list[Quad]:
    if kind == "none":
        return []
    if kind == "several":
        return _several(rng, picture, photos)
    if kind == "page":
        flat, cover, ratio = draw_page(rng, photos)
    else:
        ratio = ID1_RATIO * rng.uniform(0.97, 1.03)
        flat, cover = draw_card(rng, photos, ratio)
    centre = rng.uniform(0.3, 0.7, 2) * (WIDTH, HEIGHT)
    quad = _project(rng, ratio, rng.uniform(*(FAR if rng.random() < FAR_OFTEN else NEAR)), centre, 42)
    if kind == "cut" and rng.random() < 0.5:
        quad = _moved_out(rng, _fit_inside(rng, _project(rng, ratio, rng.uniform(0.35, 1.0), centre, 30), 0.0))
    elif kind == "cut":
        edge = rng.uniform(-0.12, 0.12, 2)
        edge[int(rng.integers(2))] = rng.choice([-0.02, 1.02])
        middle = np.abs(edge) < 0.13
        edge = np.where(middle, rng.uniform(0.2, 0.8, 2), edge)
        quad = _project(rng, ratio, rng.uniform(0.5, 1.3), edge * (WIDTH, HEIGHT), 30)
    else:
        quad = _fit_inside(rng, quad, float(rng.choice([3.0, 8.0, 14.0])))
    if kind == "shown":
        quad = _shrunk(quad, rng.uniform(0.5, 0.95))
        _carrier(rng, picture, photos, quad)
        if rng.random() < 0.5:
            grey = cv2.cvtColor(cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            flat = np.asarray(grey, dtype=np.uint8)
        cover = np.ones_like(cover)
    _paste(rng, picture, flat, cover, quad)
    return [quad]


def _moved_out(rng: Rng, quad: Quad) -> Quad:
    """The quad moved over one edge of the frame, so that a twentieth to two fifths of it are cut off."""
    axis, low = int(rng.integers(2)), bool(rng.random() < 0.5)
    near, far = float(quad[:, axis].min()), float(quad[:, axis].max())
    missing = rng.uniform(0.05, 0.4) * (far - near)
    moved = quad.copy()
    moved[:, axis] += -near - missing if low else (WIDTH, HEIGHT)[axis] - 1 - far + missing
    return moved


def _shrunk(quad: Quad, factor: float) -> Quad:
    middle = quad.mean(axis=0)
    return np.asarray(middle + (quad - middle) * factor, dtype=np.float64)


def _carrier(rng: Rng, picture: Image, photos: list[Image], quad: Quad) -> None:
    """A sheet or a dark device round the quad, in about the same plane, with its own edges."""
    grow = rng.uniform(1.12, 2.0, 2)
    along, down = (quad[1] - quad[0]) * (grow[0] - 1) / 2, (quad[3] - quad[0]) * (grow[1] - 1) / 2
    around = np.array([quad[0] - along - down, quad[1] + along - down, quad[2] + along + down, quad[3] - along + down])
    around = around + rng.uniform(-1, 1) * along * 0.8 + rng.uniform(-1, 1) * down * 0.8
    if rng.random() < 0.5:
        sheet = np.full((120, 120, 3), random_colour(rng, 200, 255, 10), np.uint8)
    elif rng.random() < 0.6:
        sheet = np.full((120, 120, 3), random_colour(rng, 0, 50, 8), np.uint8)
        cv2.rectangle(sheet, (8, 8), (111, 111), random_colour(rng, 0, 255, 20).tolist(), -1)
    else:
        sheet, _, _ = draw_page(rng, photos)
    _paste(rng, picture, sheet, np.ones(sheet.shape[:2], np.float32), around)


def _several(rng: Rng, picture: Image, photos: list[Image]) -> list[Quad]:
    quads: list[Quad] = []
    taken = np.zeros((HEIGHT, WIDTH), np.uint8)
    size = rng.uniform(0.25, 0.5)
    tilt = rng.uniform(0, 30)
    for _ in range(24):
        if len(quads) >= int(rng.integers(2, MAX_DOCUMENTS + 1)):
            break
        ratio = ID1_RATIO * rng.uniform(0.97, 1.03)
        quad = _project(rng, ratio, size * rng.uniform(0.85, 1.15), rng.uniform(0.1, 0.9, 2) * (WIDTH, HEIGHT), tilt)
        quad = _fit_inside(rng, quad, 3.0)
        own = np.zeros_like(taken)
        cv2.fillConvexPoly(own, quad.astype(np.int32), 255)
        if (own & taken).any():
            continue
        taken = np.maximum(taken, cv2.dilate(own, np.ones((5, 5), np.uint8)))
        flat, cover = draw_card(rng, photos, ratio)
        _paste(rng, picture, flat, cover, quad)
        quads.append(quad)
    return quads


def _paste(rng: Rng, picture: Image, flat: Image, cover: NDArray[np.float32], quad: Quad) -> None:
    """Warps the flat document onto the scene, with its shadow and a light or dark rim for its thickness."""
    height, width = flat.shape[:2]
    source = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, quad.astype(np.float32))
    size = (WIDTH, HEIGHT)
    reduce = cv2.resize(cv2.GaussianBlur(flat, (0, 0), 0.6), (width, height))
    warped = cv2.warpPerspective(reduce, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR)
    if rng.random() < 0.12:
        blend = rng.uniform(0.5, 0.9)  # a card hardly lighter or darker than what it lies on
        mean = picture[alpha > 0.5].mean(0) if (alpha > 0.5).any() else picture.mean((0, 1))
        warped = np.clip(warped.astype(np.float32) + (mean - warped.mean((0, 1))) * blend, 0, 255).astype(np.uint8)
    if rng.random() < 0.75:
        shift = rng.normal(0, 4, 2).astype(np.float32)
        moved = cv2.warpAffine(alpha, np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32), size)
        dark = 1 - cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.6, 7))) * rng.uniform(0.1, 0.65)
        picture[:] = (picture * dark[..., None]).astype(np.uint8)
    picture[:] = (warped * alpha[..., None] + picture * (1 - alpha[..., None])).astype(np.uint8)
    if rng.random() < 0.3:
        start = int(rng.integers(4))
        a, b = quad[start], quad[(start + 1) % 4]
        cv2.line(picture, a.astype(int).tolist(), b.astype(int).tolist(), random_colour(rng).tolist(), 1, cv2.LINE_AA)


def _finger(rng: Rng, picture: Image, quads: list[Quad]) -> None:
    """A finger from outside the frame onto an edge or corner of the card (anywhere, where there is no card)."""
    if quads:
        quad = quads[0]
        side, along = int(rng.integers(4)), rng.uniform(-0.05, 1.05)
        tip = quad[side] * (1 - along) + quad[(side + 1) % 4] * along
        tip = tip + (quad.mean(0) - tip) * rng.uniform(0, 0.3)
        outward = tip - quad.mean(0)
    else:
        tip, outward = rng.uniform(0.1, 0.9, 2) * (WIDTH, HEIGHT), rng.normal(0, 1, 2)
    outward = outward / (np.linalg.norm(outward) + 1e-6) + rng.normal(0, 0.35, 2)
    root = tip + outward * rng.uniform(80, 300)
    width = int(rng.uniform(14, 46))
    skin = np.array([rng.uniform(60, 175), rng.uniform(80, 190), rng.uniform(110, 240)])
    layer = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.line(layer, tip.astype(int).tolist(), root.astype(int).tolist(), 1.0, width, cv2.LINE_AA)
    shade = cv2.GaussianBlur(layer, (0, 0), width / 5)
    cover = cv2.GaussianBlur(layer, (0, 0), 0.8)[..., None]
    body = skin * (0.65 + 0.35 * shade[..., None])
    picture[:] = (picture * (1 - 0.3 * cv2.GaussianBlur(layer, (0, 0), 5)[..., None])).astype(np.uint8)
    picture[:] = (body * cover + picture * (1 - cover)).clip(0, 255).astype(np.uint8)


def _light(rng: Rng, picture: Image, quads: list[Quad]) -> NDArray[np.float32]:
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    xx, yy = xx / WIDTH - 0.5, yy / HEIGHT - 0.5
    angle = rng.uniform(0, 6.28)
    gain = 1 + rng.uniform(0, 0.7) * (xx * np.cos(angle) + yy * np.sin(angle))
    gain -= rng.uniform(0, 0.6) * (xx**2 + yy**2)
    if rng.random() < 0.35:
        mask = np.ones((HEIGHT, WIDTH), np.float32)
        centre = rng.uniform(0, 1, 2) * (WIDTH, HEIGHT)
        corners = centre + rng.normal(0, 150, (int(rng.integers(3, 6)), 2))
        cv2.fillPoly(mask, [cv2.convexHull(corners.astype(np.int32))], rng.uniform(0.35, 0.85))
        gain = gain * cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.8, 14)))
    lit = picture.astype(np.float32) * gain[..., None]
    for _ in range(int(rng.choice([0, 1, 2], p=[0.65, 0.25, 0.1]))):
        centre = quads[0].mean(0) + rng.normal(0, 50, 2) if quads else rng.uniform(0, 1, 2) * (WIDTH, HEIGHT)
        spot = np.zeros((HEIGHT, WIDTH), np.float32)
        axes = (int(rng.uniform(5, 70)), int(rng.uniform(5, 40)))
        cv2.ellipse(spot, centre.astype(int).tolist(), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        lit = lit + cv2.GaussianBlur(spot, (0, 0), float(rng.uniform(3, 22)))[..., None] * rng.uniform(60, 300)
    tone = rng.uniform(0.85, 1.15, 3).astype(np.float32)
    level = np.exp(rng.normal(0, 0.3))
    return np.asarray((np.clip(lit * tone * level, 0, 255) / 255) ** rng.uniform(0.75, 1.35) * 255, dtype=np.float32)


def _camera(rng: Rng, lit: NDArray[np.float32]) -> Image:
    small = cv2.resize(lit, (VIEW_WIDTH, VIEW_HEIGHT), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.3, 1.6)))
    if rng.random() < 0.5:
        small = small + rng.normal(0, rng.uniform(1, 9), small.shape)
    image = np.asarray(small.clip(0, 255), dtype=np.uint8)
    if rng.random() < 0.4:
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image
