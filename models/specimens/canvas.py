"""A sheet of card to print on: 40 px a millimetre, and the truth about everything printed, to the pixel."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.specimens import fonts, ocrb
from models.specimens.codes import Modules
from models.specimens.layout import Style
from pipeline.domain.evidence import BoxMm, CodeRole, Corners, Symbology

PX_PER_MM = 40
WIDTH_PX, HEIGHT_PX = 3424, 2159
"""85.60 x 53.98 mm at 40 px/mm."""
MODULE_MM = 0.2
"""Of the large QRs and the PDF417: 8 px, and 4 px of the pipeline's rectified card."""

Rgb = tuple[int, int, int]
_PATCH: Rgb = (252, 252, 250)
_PATCH_STRENGTH = 0.9
"""The light ground that a code is printed on."""


@dataclass(frozen=True, slots=True)
class DrawnText:
    """One text as printed. `name`: a field of `FIELD_NAMES`, `label.<field>`, `heading`, `mrz`, `specimen` and a few more."""

    name: str
    text: str
    box_mm: BoxMm
    """Bounds of its ink."""


@dataclass(frozen=True, slots=True)
class DrawnCode:
    """One code as printed."""

    symbology: Symbology
    role: CodeRole
    payload: bytes
    corners_mm: Corners
    """TL, TR, BR, BL of its modules, without the quiet zone."""


@dataclass
class Canvas:
    """A side while it is printed. `rng` moves each element by up to `jitter_mm` in x and y."""

    image: NDArray[np.uint8]
    """(2159, 3424, 3) BGR uint8, printed on in place."""
    inks: dict[str, Rgb]
    family: int
    jitter_mm: float
    rng: random.Random
    texts: list[DrawnText] = field(default_factory=list)
    codes: list[DrawnCode] = field(default_factory=list)

    def text(self, name: str, text: str, at: tuple[float, float], style: Style, *, width_mm: float | None = None,
             align: str = "left", vertical: bool = False, strength: float = 1.0) -> BoxMm:
        """Prints one line with its base line's left (or middle) end at `at`; shrinks it to `width_mm` where it is longer."""
        path = fonts.family(self.family)[style.weight]
        em = fonts.em_for_cap(path, style.cap_mm * PX_PER_MM)
        if width_mm is not None:
            em = min(em, int(em * width_mm * PX_PER_MM / max(1.0, fonts.load(path, em).getlength(text))))
        font = fonts.load(path, em)
        mask = Image.new("L", (int(font.getlength(text)) + 2 * em, 3 * em), 0)
        ImageDraw.Draw(mask).text((em, 2 * em), text, fill=round(255 * strength), font=font, anchor="ls")
        left, top, right, bottom = mask.getbbox() or (0, 0, 1, 1)
        mask = mask.crop((left, top, right, bottom))
        x, y = self._pixels(at)
        x += (left - em) - (round(font.getlength(text) / 2) if align == "middle" else 0)
        y += top - 2 * em
        if vertical:
            mask = mask.transpose(Image.Transpose.ROTATE_90)
            x, y = self._pixels(at)
            x, y = x - mask.width, y - mask.height
        self._lay(np.asarray(mask), x, y, self.inks[style.ink])
        return self._note(name, text, x, y, mask.width, mask.height)

    def mrz(self, lines: tuple[str, str, str], at: tuple[float, float], pitch_mm: float, pen: float) -> None:
        """Prints the three lines, each with the top of its digits at `at` and `pitch_mm` further down."""
        height = round(ocrb.HEIGHT_MM * PX_PER_MM)
        x, y = self._pixels(at)
        for index, line in enumerate(lines):
            ink = 255 - ocrb.draw_mrz_line(line, height, pen)
            rows, columns = np.flatnonzero(ink.max(axis=1)), np.flatnonzero(ink.max(axis=0))
            top = y + round(index * pitch_mm * PX_PER_MM)
            self._lay(np.asarray(ink), x, top, self.inks["value"])
            self._note("mrz", line, x + int(columns[0]), top + int(rows[0]),
                       int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)

    def code(self, symbology: Symbology, role: CodeRole, payload: bytes, modules: Modules, at: tuple[float, float],
             module_px: int, height_px: int | None = None) -> None:
        """Prints modules at a whole number of pixels each, on a light patch as quiet zone. `height_px`: a bar code's."""
        x, y = self._pixels(at)
        rows, columns = modules.shape
        height, width = height_px or rows * module_px, columns * module_px
        quiet = (2 if symbology is Symbology.PDF417 else 4) * module_px
        patch = np.full((height + 2 * quiet, width + 2 * quiet), round(255 * _PATCH_STRENGTH), np.uint8)
        self._lay(patch, x - quiet, y - quiet, _PATCH)
        dark = cv2.resize(255 - modules, (width, height), interpolation=cv2.INTER_NEAREST)
        self._lay(np.asarray(dark, dtype=np.uint8), x, y, self.inks["code"])
        x0, y0, x1, y1 = (value / PX_PER_MM for value in (x, y, x + width, y + height))
        self.codes.append(DrawnCode(symbology, role, payload, ((x0, y0), (x1, y0), (x1, y1), (x0, y1))))

    def frame(self, box_mm: BoxMm, ink: str, thickness: int) -> None:
        """Prints a rectangle's outline, where it is said to stand."""
        x0, y0, x1, y1 = (round(value * PX_PER_MM) for value in box_mm)
        cv2.rectangle(self.image, (x0, y0), (x1, y1), self.inks[ink][::-1], thickness)

    def picture(self, picture: NDArray[np.uint8], box_mm: BoxMm) -> BoxMm:
        """Prints a (H, W, 3) BGR picture into a box (cut, never stretched)."""
        x, y = self._pixels((box_mm[0], box_mm[1]))
        width, height = (round(PX_PER_MM * (box_mm[axis + 2] - box_mm[axis])) for axis in (0, 1))
        self.image[y:y + height, x:x + width] = fit(picture, width, height)
        return (x / PX_PER_MM, y / PX_PER_MM, (x + width) / PX_PER_MM, (y + height) / PX_PER_MM)

    def ink(self, mask: NDArray[np.uint8], box_mm: BoxMm, ink: str) -> BoxMm:
        """Prints a mask (255 full ink), stretched to a box."""
        x, y = self._pixels((box_mm[0], box_mm[1]))
        width, height = (round(PX_PER_MM * (box_mm[axis + 2] - box_mm[axis])) for axis in (0, 1))
        scaled = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        self._lay(np.asarray(scaled, dtype=np.uint8), x, y, self.inks[ink])
        return (x / PX_PER_MM, y / PX_PER_MM, (x + width) / PX_PER_MM, (y + height) / PX_PER_MM)

    def _lay(self, mask: NDArray[np.uint8], x: int, y: int, ink: Rgb) -> None:
        """Blends an ink in where a mask says so; what would fall off the card is lost."""
        mask = mask[max(0, -y):HEIGHT_PX - y, max(0, -x):WIDTH_PX - x]
        if mask.size == 0:
            return
        region = self.image[max(0, y):max(0, y) + mask.shape[0], max(0, x):max(0, x) + mask.shape[1]]
        share = mask.astype(np.uint16)[:, :, None]
        colour = np.array(ink[::-1], np.uint16)
        region[:] = (region * (255 - share) + colour * share + 127) // 255

    def _pixels(self, at: tuple[float, float]) -> tuple[int, int]:
        x, y = (value + self.rng.uniform(-self.jitter_mm, self.jitter_mm) for value in at)
        return round(x * PX_PER_MM), round(y * PX_PER_MM)

    def _note(self, name: str, text: str, x: int, y: int, width: int, height: int) -> BoxMm:
        box = (x / PX_PER_MM, y / PX_PER_MM, (x + width) / PX_PER_MM, (y + height) / PX_PER_MM)
        self.texts.append(DrawnText(name, text, box))
        return box


def fit(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scales a picture to cover a frame and cuts what is over, in equal parts left and right, from below only."""
    rows, columns = picture.shape[:2]
    scale = max(width / columns, height / rows)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(width, round(columns * scale)), max(height, round(rows * scale)))
    scaled = cv2.resize(picture, size, interpolation=interpolation)
    left = (size[0] - width) // 2
    return np.ascontiguousarray(scaled[:height, left:left + width], dtype=np.uint8)
