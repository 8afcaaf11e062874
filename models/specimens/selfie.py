"""A phone's selfie made of a portrait: framed by its head, turned a little, in its own light, with a phone's noise and file."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np

from models.specimens.camera_copies import on_screen
from models.specimens.camera_light import LAMPS, Light, gains
from models.specimens.camera_sensor import blur, encode, expose
from models.specimens.faces import FacePhoto
from pipeline.networks.api import Image

LONG_SIDES = (1500, 1600, 1920, 2000, 2560, 3000)
MOST_MAGNIFIED = 3.2
"""Portraits are small; beyond this a selfie is only larger, not finer, so a smaller frame is taken."""


def take_selfie(face: FacePhoto, rng: np.random.Generator, *, phone: str = "Telefono",
                moment: str = "2026:11:24 10:00:00") -> tuple[bytes, dict[str, Any]]:
    """(JPEG of an upright 3:4 selfie, 1,500 to 3,000 px long; what was drawn). The same state gives the same bytes."""
    share = float(rng.uniform(0.38, 0.58))
    head_px = face.head[2] * face.image.shape[0]
    fitting = [side for side in LONG_SIDES if side * share / head_px <= MOST_MAGNIFIED] or [LONG_SIDES[0]]
    height = int(rng.choice(fitting))
    frame = round(height * 0.75), height
    turn = float(rng.uniform(-6, 6))
    picture = _frame(rng, face, frame, share, turn)
    if rng.random() < 0.3:
        picture = np.ascontiguousarray(picture[:, ::-1])  # front cameras often keep the mirror's picture
    lamp = str(rng.choice(list(LAMPS)))
    light = Light(lamp, float(rng.uniform(0.75, 1.15)), float(rng.uniform(0.05, 0.4)),
                  float(rng.uniform(0.1, 0.3)) if rng.random() < 0.3 else 0.0, 0.0)
    picture = blur(picture, float(rng.uniform(0.0, 1.2)) * height / 2000)
    noise = float(rng.uniform(1.5, 4.0))
    veil = np.zeros((2, 2), np.float32)
    lit = expose(rng, picture, gains(rng, frame, light), veil, noise, chroma=0.5)
    quality, orientation = int(rng.integers(80, 94)), int(rng.choice([1, 1, 6, 8]))
    facts = {"photo": face.photo, "head_share": round(share, 3), "turn": round(turn, 1), "lamp": lamp, "noise": round(noise, 2),
             "quality": quality, "orientation": orientation}
    return encode(lit, quality, orientation, phone, moment), facts


def replay_selfie(face: FacePhoto, rng: np.random.Generator) -> bytes:
    """(JPEG) A selfie as `take_selfie` takes it, shown on a screen and photographed from there, upright."""
    first = cv2.imdecode(np.frombuffer(take_selfie(face, rng)[0], np.uint8), cv2.IMREAD_COLOR)
    texture, _ = on_screen(rng, np.asarray(first, np.uint8))
    height = int(rng.choice(LONG_SIDES))
    frame = round(height * 0.75), height
    scale = frame[0] / texture.shape[1] * float(rng.uniform(0.9, 1.2))
    move = cv2.getRotationMatrix2D((texture.shape[1] / 2, texture.shape[0] / 2), float(rng.uniform(-5, 5)), scale)
    move[:, 2] += [frame[0] / 2 - texture.shape[1] / 2, frame[1] / 2 - texture.shape[0] / 2]
    seen = blur(np.asarray(cv2.warpAffine(texture, move, frame), np.uint8), float(rng.uniform(0.2, 0.8)) * height / 2000)
    light = Light("daylight", float(rng.uniform(0.85, 1.1)), float(rng.uniform(0.02, 0.15)), 0.0, 0.0)
    veil = np.zeros((2, 2), np.float32)
    lit = expose(rng, seen, gains(rng, frame, light), veil, float(rng.uniform(1.5, 4.0)), chroma=0.5)
    return encode(lit, int(rng.integers(80, 94)), 1, "Telefono", "2026:11:24 10:00:00")


def _frame(rng: np.random.Generator, face: FacePhoto, frame: tuple[int, int], share: float, turn: float) -> Image:
    """The portrait scaled so that the head takes `share` of the height, turned, on a wall of its own soft colours."""
    h, w = face.image.shape[:2]
    x, top, head = face.head[0] * w, face.head[1] * h, face.head[2] * h
    scale = share * frame[1] / head
    centre = (x, top + head / 2)
    # the shoulders should reach the frame's bottom, as an arm's length gives it: a short portrait sits lower
    below = (h - centre[1]) * scale
    across, down = float(rng.uniform(0.44, 0.56)), float(rng.uniform(0.40, 0.50))
    at = (frame[0] * across, min(0.62 * frame[1], max(frame[1] * down, frame[1] * 1.01 - below)))
    move = cv2.getRotationMatrix2D(centre, turn, scale)
    move[:, 2] += [at[0] - centre[0], at[1] - centre[1]]
    # what the portrait does not show: its own rim carried on and blurred out, as a wall out of focus
    far = cv2.warpAffine(face.image, move, frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    wall = blur(np.asarray(far, np.uint8), frame[1] * 0.03)
    near = cv2.warpAffine(face.image, move, frame, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    feather = max(2.0, 0.01 * min(h, w))
    inside = np.zeros((h, w), np.float32)
    edge = math.ceil(2.5 * feather)
    inside[edge:h - edge, edge:w - edge] = 1.0
    # the shoulders run out at the bottom: there the rim stays sharp and is carried on
    inside[h - edge:, edge:w - edge] = 1.0
    soft = cv2.GaussianBlur(inside, (0, 0), feather, borderType=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(soft, move, frame, flags=cv2.INTER_LINEAR)[..., None]
    return np.asarray(near * cover + wall * (1 - cover), np.uint8)
