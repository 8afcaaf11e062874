"""A phone's photo of one side of a card: pose, scene, light, sensor, file. `photograph` is the one function to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import cv2
import numpy as np

from models.specimens import camera_scene as scene_parts
from models.specimens.backgrounds import ALL_SURFACES, EASY_SURFACES, packaged
from models.specimens.camera_copies import on_phone, on_screen, photocopied
from models.specimens.camera_light import LAMPS, Light, gains, veil
from models.specimens.camera_pose import Pose, PoseRange, draw_pose
from models.specimens.camera_prints import colour_copied, cut_out
from models.specimens.camera_sensor import blur, encode, expose, motion_blur
from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, Quad

PHONES = ("Telefono A12", "Telefono G54", "Telefono S21", "Telefono N10")
LONG_SIDES = (2000, 2400, 2592, 3200, 3264, 4000, 4000)
"""Usual long sides of phone photos at 4:3, within the design's 2,000 to 4,000."""
_DARK_NOISE = (8.0, 12.0)
_FAR_PX_PER_MM = (3.0, 4.2)
"""A module of the small QR (0.36 mm) gets hardly more than one pixel."""
_SHAKEN_MM = (1.6, 2.6)
"""A letter of the MRZ smeared over its neighbour, whichever way the phone moved."""
MRZ_BOX: BoxMm = (2.0, 37.5, 83.6, 52.0)
"""About where the three lines stand on every back: what a glare on the MRZ covers when no better box is given."""


class Severity(StrEnum):
    """How hard a capture is; the ranges are the design's."""

    EASY = "easy"
    NORMAL = "normal"
    HARD = "hard"


class Defect(StrEnum):
    """What is wrong with a capture on purpose."""

    BLURRED = "blurred"
    PHOTOCOPY = "photocopy"
    COLOUR_COPY = "colour_copy"
    CUT_OUT = "cut_out"
    """A copy, in colour or grey, cut out of its sheet."""
    SCREEN = "screen"
    PHONE_SCREEN = "phone_screen"
    CUT = "cut"
    GLARE = "glare"
    DARK = "dark"
    NO_CARD = "no_card"
    FINGER = "finger"
    """A thumb upon what is needed, not beside it as in good captures."""
    MOTION = "motion"
    FAR = "far"


_SCREENS = (Defect.SCREEN, Defect.PHONE_SCREEN)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the two photos of one support share: the place, its lamp, the phone. `moment`: EXIF's "YYYY:MM:DD HH:MM:SS"."""

    surface: str
    surface_seed: int
    lamp: str
    exposure: float
    phone: str
    moment: str


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo. corners: TL TR BR BL of the upright card in pixels of the oriented photo at full size (integers at pixel
    centres; outside of the frame where the card is cut), None where there is no card."""

    jpeg: bytes
    corners: Quad | None
    width: int
    height: int
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Ranges:
    """One severity of the design. Lengths of blur are photo pixels at a long side of 2,000 and scale with it."""

    pose: PoseRange
    sigma: tuple[float, float]
    motion: float
    glare: float
    uneven: tuple[float, float]
    shadow: float
    """How often a shadow falls."""
    clutter: int
    finger: float
    """How often a finger covers an edge."""
    exposure: tuple[float, float]
    noise: tuple[float, float]
    quality: tuple[int, int]


RANGES = {
    Severity.EASY: _Ranges(
        PoseRange(share=(0.65, 0.90), tilt=8, roll=6, directions=1), sigma=(0.3, 0.8), motion=0, glare=0, uneven=(0.02, 0.12),
        shadow=0, clutter=0, finger=0, exposure=(0.80, 0.98), noise=(0.8, 1.8), quality=(90, 96)),
    Severity.NORMAL: _Ranges(
        PoseRange(share=(0.45, 0.85), tilt=20, roll=15, directions=4), sigma=(0.4, 1.6), motion=0, glare=0.03,
        uneven=(0.05, 0.35), shadow=0.5, clutter=3, finger=0, exposure=(0.55, 1.0), noise=(1.2, 3.2), quality=(75, 95)),
    Severity.HARD: _Ranges(
        PoseRange(share=(0.30, 0.90), tilt=35, roll=15, directions=4), sigma=(0.5, 2.5), motion=8, glare=0.10, uneven=(0.1, 0.5),
        shadow=0.7, clutter=7, finger=0.35, exposure=(0.14, 0.9), noise=(2.0, 6.5), quality=(50, 80)),
}


def draw_scene(rng: np.random.Generator, severity: Severity, moment: str = "2026:11:24 10:00:00") -> Scene:
    """A place, a lamp and a phone of a severity."""
    surfaces = EASY_SURFACES if severity is Severity.EASY else ALL_SURFACES
    low, high = RANGES[severity].exposure
    return Scene(str(rng.choice(surfaces)), int(rng.integers(2**31)), str(rng.choice(list(LAMPS))), float(rng.uniform(low, high)),
                 str(rng.choice(PHONES)), moment)


def photograph(side_image: Image | None, rng: np.random.Generator, severity: Severity, *, long_side: int | None = None,
               defect: Defect | None = None, scene: Scene | None = None, keep_clear: Sequence[BoxMm] = (),
               target: BoxMm | None = None) -> Shot:
    """Photographs one side of a card as a phone would; the same generator state gives the same bytes.

    side_image: (H, W, 3) BGR uint8 that covers the whole card, None only with `Defect.NO_CARD`.
    long_side: photo pixels, drawn where None.  keep_clear: boxes in mm that glare and fingers avoid where they can.
    target: what `Defect.GLARE` burns out, or `Defect.FINGER` covers (default: the MRZ's place).
    Raises ValueError for a missing side image.
    """
    ranges = RANGES[severity]
    scene = scene or draw_scene(rng, severity)
    long_side = long_side or int(rng.choice(LONG_SIDES))
    frame = (long_side, round(long_side * 0.75))
    if rng.random() < 0.5:
        frame = frame[1], frame[0]
    poses = _far(ranges.pose, rng, frame) if defect is Defect.FAR else ranges.pose
    pose = draw_pose(rng, frame, poses, cut=defect is Defect.CUT)
    light = _light(rng, severity, scene, defect)
    facts: dict[str, Any] = {"defect": defect.value if defect else None, "surface": scene.surface, "lamp": scene.lamp}
    if defect is Defect.NO_CARD:
        photo, corners = _without_card(rng, pose, scene, facts), None
    elif side_image is None:
        raise ValueError("a side image is needed for every capture but Defect.NO_CARD")
    else:
        photo, corners = _with_card(rng, pose, scene, severity, defect, side_image, facts), pose.corners
        facts |= {"share": round(pose.share, 4), "direction": pose.direction, "roll": round(pose.roll, 2),
                  "tilt": round(pose.tilt, 2), "tilt_axis": round(pose.tilt_axis, 1), "px_per_mm": round(pose.px_per_mm, 2)}
        if rng.random() < ranges.finger and defect is None:
            facts |= scene_parts.lay_finger(rng, photo, pose, keep_clear)
        elif defect is Defect.FINGER:
            facts |= scene_parts.lay_finger_on(rng, photo, pose, target or MRZ_BOX)
    photo = _lens(rng, photo, pose, ranges, defect, facts)
    shine, shone = veil(rng, pose, light, keep_clear, (target or MRZ_BOX) if defect is Defect.GLARE else None)
    if corners is None:
        shine = np.zeros_like(shine)
    else:
        facts |= shone
    noise = float(rng.uniform(*(_DARK_NOISE if defect is Defect.DARK else ranges.noise))) * (1.3 - 0.3 * min(1.0, light.exposure))
    photo = expose(rng, photo, gains(rng, frame, light), shine, noise, chroma=float(rng.uniform(0.35, 0.7)))
    quality, orientation = int(rng.integers(ranges.quality[0], ranges.quality[1] + 1)), _orientation(rng)
    facts |= {"exposure": round(light.exposure, 3), "shadow": round(light.shadow, 3), "noise": round(noise, 2),
              "quality": quality, "orientation": orientation}
    return Shot(encode(photo, quality, orientation, scene.phone, scene.moment), corners, frame[0], frame[1], facts)


def _far(poses: PoseRange, rng: np.random.Generator, frame: tuple[int, int]) -> PoseRange:
    """The same poses from so far away that nothing small can be read."""
    share = float(rng.uniform(*_FAR_PX_PER_MM)) * CARD_MM[0] / max(frame)
    return replace(poses, share=(share, share))


def _light(rng: np.random.Generator, severity: Severity, scene: Scene, defect: Defect | None) -> Light:
    ranges = RANGES[severity]
    exposure = scene.exposure * float(rng.uniform(0.92, 1.06))
    if defect is Defect.DARK:
        # a white card comes out at 12 to 20 of 255, where the noise of `_DARK_NOISE` leaves neither print nor face
        exposure = float(rng.uniform(0.0015, 0.004))
    shadow = float(rng.uniform(0.2, 0.6)) if rng.random() < ranges.shadow else 0.0
    glare = ranges.glare if defect is None and rng.random() < 0.6 else 0.0
    return Light(scene.lamp, exposure, float(rng.uniform(*ranges.uneven)), shadow, glare)


def _with_card(rng: np.random.Generator, pose: Pose, scene: Scene, severity: Severity, defect: Defect | None, side: Image,
               facts: dict[str, Any]) -> Image:
    """Desk, clutter and card, or what pretends to be the card."""
    most = RANGES[severity].clutter
    desk, laid = scene_parts.draw_desk(rng, pose, scene.surface, scene.surface_seed, int(rng.integers(0, most + 1)))
    facts["clutter"] = laid
    if defect in (Defect.PHOTOCOPY, Defect.COLOUR_COPY):
        scene_parts.lay_sheet(rng, desk)
        photo = scene_parts.view_desk(desk, pose)
        copy = photocopied(rng, side) if defect is Defect.PHOTOCOPY else colour_copied(rng, side)
        scene_parts.lay_face(photo, pose, copy, rounded=defect is Defect.COLOUR_COPY)
    elif defect is Defect.CUT_OUT:
        scene_parts.cast_card_shadow(rng, desk, lift=0.4)
        photo = scene_parts.view_desk(desk, pose)
        copy, outline, facts["copy"] = cut_out(rng, side)
        scene_parts.lay_face(photo, pose, copy, outline=outline)
    elif defect in _SCREENS:
        scene_parts.lay_device(rng, desk, phone=defect is Defect.PHONE_SCREEN)
        photo = scene_parts.view_desk(desk, pose)
        texture, facts["screen_px"] = (on_screen(rng, side) if defect is Defect.SCREEN
                                       else on_phone(rng, side, pose.px_per_mm))
        scene_parts.lay_face(photo, pose, texture, filtered=False, rounded=False)
    else:
        scene_parts.cast_card_shadow(rng, desk)
        photo = scene_parts.view_desk(desk, pose)
        scene_parts.lay_edge(rng, photo, pose)
        scene_parts.lay_face(photo, pose, side)
    return photo


def _without_card(rng: np.random.Generator, pose: Pose, scene: Scene, facts: dict[str, Any]) -> Image:
    """A picture of something else: a thing on a desk, a bare desk, or one of scikit-image's photos."""
    names = ("coffee.png", "chelsea.png", "rocket.jpg")
    other = packaged(names[int(rng.integers(len(names)))]) if rng.random() < 0.25 else None
    if other is not None:
        facts["shows"] = "other_photo"
        scale = max(pose.width / other.shape[1], pose.height / other.shape[0])
        big = cv2.resize(other, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(big[:pose.height, :pose.width])
    desk, laid = scene_parts.draw_desk(rng, pose, scene.surface, scene.surface_seed, int(rng.integers(0, 4)))
    kind = str(rng.choice(["book", "mug", "sheet", "phone", "bank_card", "nothing"]))
    if kind != "nothing":
        scene_parts.lay_thing(rng, desk, kind)
    facts |= {"shows": kind, "clutter": laid}
    return scene_parts.view_desk(desk, pose)


def _lens(rng: np.random.Generator, photo: Image, pose: Pose, ranges: _Ranges, defect: Defect | None,
          facts: dict[str, Any]) -> Image:
    """Defocus or motion of the severity; with `Defect.BLURRED` a defocus that no code and no MRZ line survives."""
    scale = max(pose.width, pose.height) / 2000
    if defect is Defect.BLURRED:
        # modules of the small QR are 0.3 to 0.4 mm and MRZ strokes about 0.3 mm: a sigma of 0.9 mm leaves neither
        sigma = float(rng.uniform(0.9, 1.3)) * pose.px_per_mm
    elif defect is Defect.MOTION:
        length, angle = float(rng.uniform(*_SHAKEN_MM)) * pose.px_per_mm, float(rng.uniform(0, 180))
        facts |= {"motion_px": round(length, 2), "motion_angle": round(angle, 1)}
        photo, sigma = motion_blur(photo, length, angle), float(ranges.sigma[0]) * scale
    else:
        # a screen is still and bright: the phone focuses on its pixels
        low, high = (0.2, 0.6) if defect in _SCREENS else ranges.sigma
        sigma = float(rng.uniform(low, high)) * scale
        if ranges.motion and defect not in _SCREENS and rng.random() < 0.35:
            length, angle = float(rng.uniform(2, ranges.motion)) * scale, float(rng.uniform(0, 180))
            facts |= {"motion_px": round(length, 2), "motion_angle": round(angle, 1)}
            photo, sigma = motion_blur(photo, length, angle), float(ranges.sigma[0]) * scale
    facts["blur_sigma_px"] = round(sigma, 2)
    return blur(photo, sigma)


def _orientation(rng: np.random.Generator) -> int:
    """Phones write 1, 3, 6 and 8; mirrored ones come from front cameras and editors, seldom."""
    return int(rng.choice([1, 3, 6, 8, 2, 4, 5, 7], p=[0.4, 0.1, 0.3, 0.1, 0.025, 0.025, 0.025, 0.025]))


def card_px_per_mm_at_least(corners: Quad) -> float:
    """The least photo pixels a millimetre along the card's four sides: what its smallest print is sampled with."""
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float((lengths / np.array([CARD_MM[0], CARD_MM[1], CARD_MM[0], CARD_MM[1]])).min())
