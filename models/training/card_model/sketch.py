"""A canvas of 10 pixels a millimetre: the specimens' drawing code prints on it forty times faster than on their own sheet."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from models.specimens import fonts
from models.specimens.canvas import PX_PER_MM, Canvas, Rgb, fit
from models.specimens.layout import Style
from models.training.readers.fonts import field_fonts
from pipeline.domain.evidence import BoxMm
from pipeline.networks.api import Image

SCALE = 10
WIDTH_PX, HEIGHT_PX = 856, 540
"""Half of the pipeline's rectified card."""


@dataclass
class Sketch(Canvas):
    """`image`: (540, 856, 3) BGR uint8. Print has the faces `faces` by weight, `stretch` times as wide; no truth is kept."""

    faces: tuple[Path, Path, Path] = (Path(), Path(), Path())
    stretch: float = 1.0

    def text(self, name: str, text: str, at: tuple[float, float], style: Style, *,  # noqa: ARG002 - Canvas's own signature
             width_mm: float | None = None,
             align: str = "left", vertical: bool = False, strength: float = 1.0) -> BoxMm:
        """As `Canvas.text`."""
        path = self.faces[style.weight]
        em = fonts.em_for_cap(path, style.cap_mm * SCALE)
        wide = fonts.load(path, em).getlength(text) * self.stretch
        if width_mm is not None and wide > width_mm * SCALE:
            em = max(4, int(em * width_mm * SCALE / wide))
        font = fonts.load(path, em)
        length = max(1, int(font.getlength(text)))
        mask = Pillow.new("L", (length + em, 2 * em), 0)
        ImageDraw.Draw(mask).text((em // 2, 3 * em // 2), text, fill=round(255 * strength), font=font, anchor="ls")
        size = (max(1, round(mask.width * self.stretch)), mask.height)
        ink = np.asarray(cv2.resize(np.asarray(mask), size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        length = round(length * self.stretch)
        x = round(at[0] * SCALE) - round(em / 2 * self.stretch) - (length // 2 if align == "middle" else 0)
        y = round(at[1] * SCALE) - 3 * em // 2
        if vertical:
            ink = np.asarray(cv2.rotate(ink, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
            x, y = round(at[0] * SCALE) - ink.shape[1], round(at[1] * SCALE) - ink.shape[0]
        self.lay(ink, x, y, self.inks[style.ink])
        return (at[0], at[1] - style.cap_mm, at[0] + length / SCALE, at[1])

    def frame(self, box_mm: BoxMm, ink: str, thickness: int) -> None:
        x0, y0, x1, y1 = (round(value * SCALE) for value in box_mm)
        cv2.rectangle(self.image, (x0, y0), (x1, y1), self.inks[ink][::-1], max(1, thickness * SCALE // PX_PER_MM), cv2.LINE_AA)

    def picture(self, picture: NDArray[np.uint8], box_mm: BoxMm) -> BoxMm:
        x0, y0, x1, y1 = (round(value * SCALE) for value in box_mm)
        x1, y1 = min(x1, WIDTH_PX), min(y1, HEIGHT_PX)
        if x1 - x0 > 2 and y1 - y0 > 2:
            self.image[y0:y1, x0:x1] = fit(picture, x1 - x0, y1 - y0)
        return box_mm

    def ink(self, mask: NDArray[np.uint8], box_mm: BoxMm, ink: str) -> BoxMm:
        width, height = (max(1, round(SCALE * (box_mm[axis + 2] - box_mm[axis]))) for axis in (0, 1))
        small = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self.lay(small, round(box_mm[0] * SCALE), round(box_mm[1] * SCALE), self.inks[ink])
        return box_mm

    def lay(self, mask: NDArray[np.uint8], x: int, y: int, ink: Rgb) -> None:
        """Blends an ink in where a mask says so; what falls off the card is lost."""
        mask = mask[max(0, -y):max(0, HEIGHT_PX - y), max(0, -x):max(0, WIDTH_PX - x)]
        if mask.size == 0:
            return
        region = self.image[max(0, y):max(0, y) + mask.shape[0], max(0, x):max(0, x) + mask.shape[1]]
        share = mask.astype(np.uint16)[:, :, None]
        region[:] = (region * (255 - share) + np.array(ink[::-1], np.uint16) * share + 127) // 255


def new_sketch(rng: random.Random, ground: Image) -> Sketch:
    """An unprinted side with faces and inks of its own. The ground is printed on."""
    if rng.random() < 0.3:
        faces = fonts.family(rng.randrange(len(fonts.FAMILIES)))
    else:
        pool = field_fonts()
        faces = (rng.choice(pool), rng.choice(pool), rng.choice(pool))
    return Sketch(ground, _inks(rng), 0, 0.0, rng, faces=faces, stretch=rng.uniform(0.84, 1.16))


def _inks(rng: random.Random) -> dict[str, Rgb]:
    """Dark values and codes; labels and headings of any hue; on one card in eight all of it is one ink."""
    def shade(low: int, high: int, spread: int) -> Rgb:
        level = rng.randint(low, high)
        red, green, blue = (max(0, min(255, level + rng.randint(-spread, spread))) for _ in range(3))
        return red, green, blue

    value = shade(5, 75, 18)
    inks = {"value": value, "label": shade(60, 140, 45), "heading": shade(30, 130, 70), "code": shade(5, 60, 8),
            "pen": shade(10, 90, 40), "finger": shade(20, 110, 25), "ghost": shade(60, 130, 25),
            "mark": shade(200, 255, 40), "mark_red": (rng.randint(120, 220), rng.randint(20, 90), rng.randint(40, 110))}
    if rng.random() < 0.12:
        inks |= {"label": value, "heading": value}
    return inks
