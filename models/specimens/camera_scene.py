"""What stands before the camera: the desk and its clutter, the card on it, a finger over its edge; all by homographies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from models.specimens.backgrounds import draw_surface, noise
from models.specimens.backgrounds_clutter import THINGS, lay, rounded_mask, scatter, turned
from models.specimens.camera_copies import device_around, phone_around, sheet_around
from models.specimens.camera_light import overlap
from models.specimens.camera_pose import Pose, inverse
from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, CORNER_RADIUS_MM, Matrix, transform

_DESK_LONG_SIDE = 2200
"""Most pixels of the desk's own picture: it is never sharper than the card, which is what the camera focuses on."""
_SKINS = ((120, 150, 205), (105, 140, 195), (90, 120, 175), (65, 95, 150), (50, 70, 110), (140, 170, 220))


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk from above. `to_mm`: its pixels -> mm of the card's frame."""

    image: Image
    px_per_mm: float
    to_mm: Matrix

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Desk pixels of a point in mm."""
        place = transform(inverse(self.to_mm), np.array([[x, y]]))[0]
        return float(place[0]), float(place[1])


def draw_desk(rng: np.random.Generator, pose: Pose, surface: str, seed: int, clutter: int) -> tuple[Desk, list[str]]:
    """All of the desk that the frame sees, with `clutter` things round the card; and what they are."""
    w, h = pose.width - 1, pose.height - 1
    border = np.array([[0, 0], [w, 0], [w, h], [0, h]], dtype=np.float64)
    seen = transform(inverse(pose.desk), border)
    low, high = seen.min(axis=0) - 2, seen.max(axis=0) + 2
    scale = float(min(0.7 * pose.px_per_mm, _DESK_LONG_SIDE / float((high - low).max())))
    size = [math.ceil(v * scale) for v in high - low]
    image = draw_surface(surface, np.random.default_rng(seed), size[0], size[1], scale)
    to_mm = np.array([[1 / scale, 0, low[0]], [0, 1 / scale, low[1]], [0, 0, 1]])
    desk = Desk(image, scale, to_mm)
    centre = desk.at(CARD_MM[0] / 2, CARD_MM[1] / 2)
    laid = scatter(rng, image, scale, clutter, centre=centre, keep_out=0.42 * CARD_MM[0] * scale)
    return desk, laid


def lay_sheet(rng: np.random.Generator, desk: Desk) -> None:
    """Puts the paper of a photocopy under where the card's picture will be."""
    page, centre = sheet_around(rng, desk.px_per_mm)
    _lay_under(desk, page, np.full(page.shape[:2], 255, np.uint8), centre, shadow_mm=0.7)


def lay_device(rng: np.random.Generator, desk: Desk, *, phone: bool = False) -> None:
    """Puts a device with a lit screen under where the card's picture will be; what is round it is dimmer than the screen."""
    np.copyto(desk.image, cv2.convertScaleAbs(desk.image, alpha=float(rng.uniform(0.3, 0.75))))
    picture, mask, centre = (phone_around if phone else device_around)(rng, desk.px_per_mm)
    _lay_under(desk, picture, mask, centre, shadow_mm=2.5)


def lay_thing(rng: np.random.Generator, desk: Desk, kind: str) -> None:
    """Puts one of `THINGS` where the card would lie."""
    picture, mask = turned(*THINGS[kind](rng, desk.px_per_mm), float(rng.uniform(0, 360)))
    lay(desk.image, picture, mask, desk.at(CARD_MM[0] / 2, CARD_MM[1] / 2), 1.2 * desk.px_per_mm)


def _lay_under(desk: Desk, picture: Image, mask: Image, centre: tuple[float, float], shadow_mm: float) -> None:
    x, y = desk.at(CARD_MM[0] / 2, CARD_MM[1] / 2)
    h, w = mask.shape
    lay(desk.image, picture, mask, (x - centre[0] + w / 2, y - centre[1] + h / 2), shadow_mm * desk.px_per_mm)


def cast_card_shadow(rng: np.random.Generator, desk: Desk, lift: float = 1.0) -> None:
    """The card's contact shadow on the desk: narrow, to the side away from the lamp. lift: how thick it is, paper less than 1."""
    scale = desk.px_per_mm
    mask = rounded_mask(round(CARD_MM[0] * scale), round(CARD_MM[1] * scale), CORNER_RADIUS_MM * scale)
    angle, reach = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.3, 1.4)) * lift
    x, y = desk.at(CARD_MM[0] / 2 + reach * math.cos(angle), CARD_MM[1] / 2 + reach * math.sin(angle))
    pad = math.ceil(4 * scale)
    dark = cv2.GaussianBlur(cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0), (0, 0),
                            max(0.8, float(rng.uniform(0.4, 1.3)) * scale))
    shade = np.clip(255 - float(rng.uniform(0.35, 0.65)) * dark.astype(np.float32), 0, 255) / 255
    move = np.array([[1, 0, x - dark.shape[1] / 2], [0, 1, y - dark.shape[0] / 2]])
    cover = cv2.warpAffine(shade, move, (desk.image.shape[1], desk.image.shape[0]), borderValue=1.0)
    np.copyto(desk.image, cv2.multiply(desk.image, cv2.merge([cover] * 3), dtype=cv2.CV_8U))


def view_desk(desk: Desk, pose: Pose) -> Image:
    """The desk in the photo."""
    return np.asarray(cv2.warpPerspective(desk.image, pose.desk @ desk.to_mm, (pose.width, pose.height), flags=cv2.INTER_LINEAR,
                                          borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def lay_edge(rng: np.random.Generator, photo: Image, pose: Pose) -> None:
    """The card's edge: its outline on the desk's plane in the white of the core, which the face then covers, in place."""
    scale = min(12.0, pose.px_per_mm)
    w, h = round(CARD_MM[0] * scale), round(CARD_MM[1] * scale)
    core = np.full((h, w, 3), float(rng.uniform(120, 205)), np.uint8)
    _paste(photo, core, rounded_mask(w, h, CORNER_RADIUS_MM * scale), pose.desk @ _texels_to_mm(w, h), cv2.INTER_LINEAR)


def lay_face(photo: Image, pose: Pose, side: Image, *, filtered: bool = True, rounded: bool = True,
             outline: Image | None = None) -> None:
    """The card's printed face, in place. side: (h, w, 3) BGR that covers the whole card.

    `outline`: (h, w) mask in place of the card's own, `rounded` or not.

    `filtered`: reduced to the photo's scale before it is sampled, as a lens does; without, what is finer than a photo
    pixel aliases (a screen's grid is meant to).
    """
    if filtered:
        reach = float(np.linalg.norm(np.roll(pose.corners, -1, axis=0) - pose.corners, axis=1).max()) * 1.1
        if reach < side.shape[1]:
            ratio = reach / side.shape[1]
            size = (round(side.shape[1] * ratio), round(side.shape[0] * ratio))
            side = np.asarray(cv2.resize(side, size, interpolation=cv2.INTER_AREA), np.uint8)
    h, w = side.shape[:2]
    mask = rounded_mask(w, h, CORNER_RADIUS_MM * w / CARD_MM[0]) if rounded else np.full((h, w), 255, np.uint8)
    if outline is not None:
        mask = np.asarray(cv2.resize(outline, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    _paste(photo, side, mask, pose.card @ _texels_to_mm(w, h), cv2.INTER_CUBIC if filtered else cv2.INTER_LINEAR)


def _texels_to_mm(width: int, height: int) -> Matrix:
    """Texel centres of a picture that covers the card -> mm: texel i spans i to i+1."""
    sx, sy = CARD_MM[0] / width, CARD_MM[1] / height
    return np.array([[sx, 0, sx / 2], [0, sy, sy / 2], [0, 0, 1]])


def _paste(photo: Image, picture: Image, mask: Image, to_photo: Matrix, interpolation: int) -> None:
    """Warps a masked picture into the photo, in place; only the outline's pixels are mixed."""
    h, w = mask.shape
    corners = transform(to_photo, np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]]))
    x0, y0 = (max(0, int(v)) for v in np.floor(corners.min(axis=0)) - 2)
    x1 = min(photo.shape[1], int(np.ceil(corners[:, 0].max())) + 3)
    y1 = min(photo.shape[0], int(np.ceil(corners[:, 1].max())) + 3)
    if x1 <= x0 or y1 <= y0:
        return
    local = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]]) @ to_photo
    size = (x1 - x0, y1 - y0)
    # a border of one texel keeps the outline half a texel out, where it is, rather than at the last texel's centre
    cover = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    outset = np.array([[1, 0, -1], [0, 1, -1], [0, 0, 1.0]])
    alpha = np.asarray(cv2.warpPerspective(cover, local @ outset, size, flags=cv2.INTER_LINEAR), np.uint8)
    seen = cv2.warpPerspective(picture, local, size, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    ground = photo[y0:y1, x0:x1]
    cv2.copyTo(seen, (alpha == 255).astype(np.uint8), ground)
    rim = (alpha > 0) & (alpha < 255)
    share = alpha[rim][:, None].astype(np.float32) / 255
    ground[rim] = np.rint(ground[rim] * (1 - share) + seen[rim] * share).astype(np.uint8)


def lay_finger(rng: np.random.Generator, photo: Image, pose: Pose, keep_clear: Sequence[BoxMm]) -> dict[str, Any]:
    """A thumb that holds the card down at a corner or an edge, where it covers least of `keep_clear`, in place."""
    w, h = CARD_MM
    radius = float(rng.uniform(6.5, 8.5))
    depth = float(rng.uniform(2.0, 6.0))
    places = []
    for _ in range(24):
        edge, along = int(rng.integers(4)), float(rng.uniform(0, 1))
        base = [(along * w, 0.0), (w, along * h), (along * w, h), (0.0, along * h)][edge]
        inward = math.radians([90, 180, 270, 0][edge] + float(rng.uniform(-35, 35)))
        tip = base[0] + depth * math.cos(inward), base[1] + depth * math.sin(inward)
        centre = tip[0] - radius * math.cos(inward), tip[1] - radius * math.sin(inward)
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        places.append((overlap(box, keep_clear), centre, inward, box))
    harm, centre, inward, box = min(places, key=lambda place: place[0])
    _paint_finger(rng, photo, pose, centre, inward, radius)
    return {"finger_mm": [round(v, 2) for v in box], "finger_covers_mm2": round(harm, 1)}


def lay_finger_on(rng: np.random.Generator, photo: Image, pose: Pose, target: BoxMm) -> dict[str, Any]:
    """A thumb whose tip lies in the middle of `target` and that comes from the nearest edge of the card, in place."""
    (w, h), (x, y) = CARD_MM, ((target[0] + target[2]) / 2, (target[1] + target[3]) / 2)
    radius = float(rng.uniform(6.5, 8.5))
    edge = int(np.argmin([y, w - x, h - y, x]))
    inward = math.radians([90, 180, 270, 0][edge] + float(rng.uniform(-35, 35)))
    _paint_finger(rng, photo, pose, (x, y), inward, radius)
    return {"finger_mm": [round(v, 2) for v in (x - radius, y - radius, x + radius, y + radius)]}


def _paint_finger(rng: np.random.Generator, photo: Image, pose: Pose, tip: tuple[float, float], inward: float,
                  radius: float) -> None:
    """A capsule lit from above with a nail near its tip: drawn in mm from above, 6 texels each, then laid on the card's plane."""
    scale, length = 6.0, 140.0
    w, h = round((length + radius) * scale), round(2 * radius * 1.3 * scale)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / np.float32(scale)
    y -= h / scale / 2
    # widens a little away from the tip; x runs from the far end to the tip
    from_tip = np.float32(length) - x
    # a joint is a little thicker than what is before and after it
    joint = 0.07 * np.exp(-(((from_tip - 26) / 11) ** 2))
    thick = radius * (0.94 + joint + 0.30 * np.clip((from_tip - 20) / 120, 0, 1) ** 1.2)
    across = np.hypot(np.where(from_tip < 0, from_tip, 0), y) / thick
    height = np.sqrt(np.clip(1 - across**2, 0, 1))
    skin = np.array(_SKINS[int(rng.integers(len(_SKINS)))], np.float32) * float(rng.uniform(0.9, 1.1))
    shade = 0.66 + 0.36 * height - 0.09 * y / radius + 0.02 * noise(rng, w, h, (1.6 * scale, 3 * scale), 2)
    crease = np.exp(-(((from_tip - 24) / 1.1) ** 2)) + np.exp(-(((from_tip - 27) / 0.9) ** 2))
    shade -= 0.07 * crease * (0.6 + 0.4 * np.cos(y * 0.6))
    finger = skin * shade[..., None]
    nail = np.clip(1.6 * (1 - np.hypot((from_tip - 1.5) / 6.2, y / (radius * 0.62)) ** 4), 0, 1)[..., None]
    pale = skin * np.array([1.12, 1.08, 1.06], np.float32) * (0.75 + 0.3 * height[..., None])
    finger = finger * (1 - 0.75 * nail) + 0.75 * nail * pale
    mask = (np.clip((1 - across) * thick * scale, 0, 1) * 255).astype(np.uint8)
    cos, sin = math.cos(inward), math.sin(inward)
    to_mm = np.array([[cos, -sin, tip[0]], [sin, cos, tip[1]], [0, 0, 1]]) @ np.array(
        [[1 / scale, 0, -length], [0, 1 / scale, -h / scale / 2], [0, 0, 1]])
    shadow = cv2.GaussianBlur(mask, (0, 0), 1.6 * scale)
    _darken(photo, shadow, pose.card @ to_mm, 0.45)
    _paste(photo, np.clip(finger, 0, 255).astype(np.uint8), mask, pose.card @ to_mm, cv2.INTER_LINEAR)


def _darken(photo: Image, mask: Image, to_photo: Matrix, depth: float) -> None:
    """Multiplies the photo by 1 - depth * mask / 255, warped, in place; at a quarter of its size, as shadows are soft."""
    quarter = np.diag([0.25, 0.25, 1.0])
    small = cv2.warpPerspective(mask, quarter @ to_photo, (math.ceil(photo.shape[1] / 4), math.ceil(photo.shape[0] / 4)))
    columns, rows = np.flatnonzero(small.max(axis=0)), np.flatnonzero(small.max(axis=1))
    if columns.size == 0:
        return
    x0, x1, y0, y1 = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    ground = photo[4 * y0:4 * y1, 4 * x0:4 * x1]
    cover = cv2.resize(small[y0:y1, x0:x1], (ground.shape[1], ground.shape[0]), interpolation=cv2.INTER_LINEAR)
    factor = 1 - np.float32(depth / 255) * cover.astype(np.float32)
    np.copyto(ground, cv2.multiply(ground, cv2.merge([factor] * 3), dtype=cv2.CV_8U))
