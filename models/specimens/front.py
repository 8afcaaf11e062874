"""The front of a specimen: headings, values with their labels, photograph and its ghost."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from models.specimens.canvas import PX_PER_MM, Canvas, fit
from models.specimens.layout import STYLES, SideLayout
from models.specimens.pen import signature_mask, signature_strokes
from pipeline.domain.evidence import BoxMm

_ADDRESS_LINES = ("address_1", "address_2", "address_3")
_GHOST_STRENGTH = 0.5


def draw_front(canvas: Canvas, layout: SideLayout, values: Mapping[str, str], portrait: NDArray[np.uint8],
               signer: str) -> tuple[BoxMm | None, BoxMm | None]:
    """Prints a front; returns the boxes of portrait and ghost. `portrait`: BGR."""
    portrait_box = ghost_box = None
    if (box := layout.box("portrait")) is not None:
        portrait_box = canvas.picture(portrait, box)
        middle = ((portrait_box[0] + portrait_box[2]) / 2, portrait_box[3] - 0.5)
        canvas.text("specimen", "MUESTRA", middle, STYLES["mark"], align="middle", strength=0.75)
    if (box := layout.box("ghost")) is not None:
        ghost_box = _ghost(canvas, portrait, box)
    if (box := layout.box("signature")) is not None:
        sign(canvas, signer, box)
    write(canvas, layout, values)
    return portrait_box, ghost_box


def write(canvas: Canvas, layout: SideLayout, values: Mapping[str, str]) -> None:
    """Prints every text of a layout whose value is known; a label without its value is left out, as on the card."""
    right = 0.0
    for slot in layout.texts:
        key = slot.name.removeprefix("label.")
        is_label = key != slot.name
        text = slot.text if slot.text is not None else values.get(slot.name, "")
        wanted = "address_1" if key == "address" else key
        if not text or (is_label and wanted in values and not values[wanted]):
            continue
        name = "address" if slot.name in _ADDRESS_LINES else slot.name
        text = text.format(institute=values["institute"]) if slot.text else text
        at = slot.at if slot.follows is None else (right + slot.follows, slot.at[1])
        right = canvas.text(name, text, at, slot.style, width_mm=slot.width, align=slot.align, vertical=slot.vertical)[2]


def sign(canvas: Canvas, signer: str, box: BoxMm) -> None:
    """Prints a signature into a box."""
    width, height = (round(PX_PER_MM * (box[axis + 2] - box[axis])) for axis in (0, 1))
    canvas.ink(signature_mask(signature_strokes(signer), width, height, 0.32 * PX_PER_MM), box, "pen")


def _ghost(canvas: Canvas, portrait: NDArray[np.uint8], box: BoxMm) -> BoxMm:
    """The small grey photograph: printed as a tint, strong where the portrait is dark, gone towards its edge."""
    width, height = (round(PX_PER_MM * (box[axis + 2] - box[axis])) for axis in (0, 1))
    grey = cv2.cvtColor(fit(portrait, width, height), cv2.COLOR_BGR2GRAY)
    grey = cv2.createCLAHE(clipLimit=1.5, tileGridSize=(4, 4)).apply(grey)
    y, x = np.mgrid[-1:1:complex(0, height), -1:1:complex(0, width)]
    edge = np.clip(5 * (1.12 - np.hypot(x, y)), 0, 1)
    strength = np.round((255 - grey.astype(np.float32)) * edge * _GHOST_STRENGTH * 1.5)
    return canvas.ink(np.clip(strength, 0, 255).astype(np.uint8), box, "ghost")
