"""The pictures of a pack, made from what was answered: both sides rectified, each code, the MRZ, the faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from pipeline.domain.capture import Capture, Part
from pipeline.networks.api import Image
from pipeline.stages.decode import Photo, open_picture
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.rectify import rectify

FULL = 1 << 16
"""As a long side: nothing is reduced."""
QUALITY = 92
CODE_PX = 600
"""Long side of a code's picture: some 6 pixels a module of the densest."""
AROUND = 0.3
"""Of a face's box, added on each side."""


def pictures_of(capture: Capture, resource: dict[str, Any]) -> dict[str, bytes]:
    """JPEG by name. Only what was found is there."""
    return {f"{name}.jpg": _jpeg(picture) for name, picture in _pictures(capture, resource)}


def _pictures(capture: Capture, resource: dict[str, Any]) -> Iterator[tuple[str, Image]]:
    photos = {part: open_picture(capture.part(part), FULL) for part in (Part.FRONT, Part.BACK, Part.SELFIE)}
    face, card = resource["face"] or {}, resource["card"] or {}
    for name in ("front", "back"):
        side = card.get(name)
        photo = photos[Part(side["capture"])] if side else None
        if side is None or photo is None:
            continue
        upright = rectify(photo.view, np.array(side["corners"], np.float64))
        yield name, upright
        if name == "front":
            shown = [where for where in ("portrait", "ghost") if face.get(where)]
            yield from ((where, _crop(upright, face[where]["box"], PX_PER_MM)) for where in shown)
        else:
            yield from _of_back(upright, photo, resource)
    selfie = photos[Part.SELFIE]
    if selfie is not None and face.get("selfie"):
        yield "selfie_face", _crop(selfie.view, face["selfie"]["box"], 1.0)


def _of_back(upright: Image, photo: Photo, resource: dict[str, Any]) -> Iterator[tuple[str, Image]]:
    mrz = resource["mrz"]
    if mrz and mrz.get("box_mm"):
        yield "mrz", _crop(upright, mrz["box_mm"], PX_PER_MM, around=0.05)
    for number, code in enumerate(resource["codes"]):
        yield f"code_{number}_{code['role']}", _straightened(photo.view, np.array(code["corners"], np.float32))


def _straightened(view: Image, corners: Any) -> Image:
    """A code alone, as wide as high as it lies."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    wide, high = max(sides[0], sides[2], 1.0), max(sides[1], sides[3], 1.0)
    scale = CODE_PX / max(wide, high)
    width, height = max(1, round(wide * scale)), max(1, round(high * scale))
    onto = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(corners, onto)
    return np.asarray(cv2.warpPerspective(view, warp, (width, height), flags=cv2.INTER_CUBIC), np.uint8)


def _crop(picture: Image, box: list[float], scale: float, around: float = AROUND) -> Image:
    x0, y0, x1, y1 = (value * scale for value in box)
    dx, dy = around * (x1 - x0), around * (y1 - y0)
    height, width = picture.shape[:2]
    left, top = max(0, int(x0 - dx)), max(0, int(y0 - dy))
    return picture[top:min(height, max(int(y1 + dy), top + 1)), left:min(width, max(int(x1 + dx), left + 1))]


def _jpeg(picture: Image) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
