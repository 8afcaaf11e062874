"""Pictures for people: what was seen, drawn over what was sent. Made from the resource alone, so it shows what was answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.capture import Capture, Part
from pipeline.errors import BadPicture
from pipeline.networks.api import Image
from pipeline.stages.decode import decode
from pipeline.stages.geometry import CARD_MM, homography, transform

WIDTH = 1200
"""Pixels across an overlay: enough to read a field's name, small enough to open a folder of them."""
GREEN, BLUE, ORANGE, PINK, RED = (90, 200, 60), (230, 140, 40), (40, 150, 255), (200, 90, 230), (60, 60, 230)
VERDICT_COLOURS = {"accepted": GREEN, "retake": ORANGE, "review": BLUE, "rejected": RED}
_CODE_COLOURS = {"detected": RED, "decoded": ORANGE, "consistent": GREEN}
FRONT_FIELDS_ONLY = ("cic", "citizen_id", "ocr")
"""Fields that no front prints: their box, if any, is not on the front."""


def draw_overlays(capture: Capture, resource: dict[str, Any], out: Path) -> None:
    """Writes front.jpg, back.jpg and selfie.jpg (what could be opened) into `out`; made if missing."""
    out.mkdir(parents=True, exist_ok=True)
    for part in (Part.FRONT, Part.BACK, Part.SELFIE):
        data = capture.part(part)
        if data is None:
            continue
        try:
            photo = decode(data)
        except BadPicture:
            continue
        factor = WIDTH / photo.view.shape[1]
        canvas = cv2.resize(photo.view, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        sketch = Sketch(np.asarray(canvas, np.uint8), factor / photo.scale)
        _draw_part(sketch, part, resource)
        sketch.caption(resource)
        cv2.imwrite(str(out / f"{part}.jpg"), sketch.canvas, [cv2.IMWRITE_JPEG_QUALITY, 85])


class Sketch:
    """A picture to draw on, in coordinates of the full-resolution photo."""

    def __init__(self, canvas: Image, scale: float) -> None:
        self.canvas, self.scale = canvas, scale

    def polygon(self, points: NDArray[np.float64], colour: tuple[int, int, int], label: str = "", thick: int = 2) -> None:
        pixels = np.round(points * self.scale).astype(np.int32)
        cv2.polylines(self.canvas, [pixels], True, colour, thick, cv2.LINE_AA)
        if label:
            x, y = pixels[np.argmin(pixels.sum(axis=1))]
            self.text(label, int(x), int(y) - 5, colour)

    def box(self, box: list[float], colour: tuple[int, int, int], label: str = "") -> None:
        self.polygon(_rectangle(box), colour, label)

    def text(self, text: str, x: int, y: int, colour: tuple[int, int, int], size: float = 0.45) -> None:
        plain = text.encode("ascii", "replace").decode()
        cv2.putText(self.canvas, plain, (x, max(y, 12)), cv2.FONT_HERSHEY_SIMPLEX, size, (20, 20, 20), 3, cv2.LINE_AA)
        cv2.putText(self.canvas, plain, (x, max(y, 12)), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

    def caption(self, resource: dict[str, Any]) -> None:
        """A band on top: verdict, model, reasons."""
        band = np.full((34, self.canvas.shape[1], 3), 30, np.uint8)
        self.canvas = np.vstack([band, self.canvas])
        verdict = resource["verdict"] or "pending"
        models = "/".join(resource["card"]["candidates"]) if resource["card"] else ""
        reasons = ", ".join(reason["code"] for reason in resource["reasons"])
        self.text(f"{verdict}   modelo {models or '-'}   {reasons}", 10, 23, VERDICT_COLOURS.get(verdict, BLUE), 0.6)


def _draw_part(sketch: Sketch, part: Part, resource: dict[str, Any]) -> None:
    face, card = resource["face"], resource["card"] or {}
    if part is Part.SELFIE:
        if face and face["selfie"]:
            sketch.box(face["selfie"]["box"], PINK, f"similarity {face['similarity']}")
        return
    for name in ("front", "back"):
        side = card.get(name)
        if side is None or side["capture"] != part:
            continue
        corners = np.array(side["corners"], np.float64)
        sketch.polygon(corners, GREEN, f"{name}, model {'/'.join(card['candidates'])}", 3)
        width, height = CARD_MM
        onto = homography(np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64), corners)
        for label, box, colour in _boxes(name, resource):
            sketch.polygon(transform(onto, _rectangle(box)), colour, label)
        if name == "back":
            for code in resource["codes"]:
                colour = _CODE_COLOURS[code["status"]]
                sketch.polygon(np.array(code["corners"], np.float64), colour, f"{code['role']} {code['status']}")


def _boxes(side: str, resource: dict[str, Any]) -> list[tuple[str, list[float], tuple[int, int, int]]]:
    """Labelled boxes in millimetres on one side."""
    if side == "back":
        mrz = resource["mrz"]
        return [("MRZ", mrz["box_mm"], GREEN if mrz["valid"] else RED)] if mrz and mrz.get("box_mm") else []
    boxes = [(name, field["box_mm"], BLUE) for name, field in resource["fields"].items()
             if field["box_mm"] and name not in FRONT_FIELDS_ONLY]
    face = resource["face"] or {}
    boxes += [(name, face[name]["box"], PINK) for name in ("portrait", "ghost") if face.get(name)]
    return boxes


def _rectangle(box: list[float]) -> NDArray[np.float64]:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
