"""Sides of credentials, flat: the specimens' fronts and backs with varied layouts on varied grounds."""

from __future__ import annotations

import functools
import random
from dataclasses import replace

import cv2
import numpy as np

from models.specimens import codes, ocrb
from models.specimens.back import draw_back
from models.specimens.canvas import MODULE_MM
from models.specimens.card import CardSpec, printed_values, right_mrz
from models.specimens.front import draw_front
from models.specimens.layout import SideLayout, load_layout
from models.specimens.people import invent_person
from models.training.card_model.grounds import Pictures, draw_emblems, draw_paper
from models.training.card_model.sketch import SCALE, Sketch, new_sketch
from models.training.card_model.vary import vary
from pipeline.domain.card_model import CardModel
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM

MODELS = {"old": (CardModel.A, CardModel.B, CardModel.C, CardModel.C), "d": (CardModel.D,), "e": (CardModel.E,),
          "f": (CardModel.F,), "ef": (CardModel.E, CardModel.F), "gh": (CardModel.G, CardModel.H)}
"""By the second word of a kind's name."""
KEPT = {"front_d": ("institute", "portrait"), "front_e": ("institute", "portrait"), "front_f": ("portrait",),
        "front_gh": ("portrait",), "front_old": ("portrait",), "back_ef": ("small_qr",), "back_gh": ("large_left",)}
"""What makes the kind: never left out."""
_CODES = ("linear", "pdf417", "large_left", "large_right", "small_qr")
_SMALL_MODULES = 33
_LINEAR_MM, _LINEAR_MODULES = (18.0, 36.0), 90
_SECOND_PORTRAIT = 0.25
"""Share of G and H backs with a colour portrait somewhere: it is announced for I and J, its place is not."""


_OLD_MIRRORED = 0.45
"""Share of A to C fronts with the portrait on the right: no text gives their places, so the network must not rely on one."""
_COLUMN_MM = 22.0
"""How far the text moves left then: the portrait's width."""


def draw_side(kind: str, rng: random.Random, pictures: Pictures) -> Image:
    """One side of a kind of `SHARES`, (540, 856, 3) BGR uint8, upright."""
    fine = np.random.default_rng(rng.randrange(2**32))
    side, letters = kind.split("_")
    spec = _spec(rng, rng.choice(MODELS[letters]))
    front, back = load_layout(spec.model)
    layout = front if side == "front" else back
    if kind == "front_old" and rng.random() < _OLD_MIRRORED:
        layout = _portrait_right(layout)
    layout = vary(layout, rng, KEPT.get(kind, ()))
    sketch = new_sketch(rng, draw_paper(rng, fine, pictures))
    draw_emblems(sketch.image, rng)
    if side == "front":
        draw_front(sketch, layout, printed_values(spec), pictures.portrait(rng, fine), spec.person.citizen_id)
    else:
        if letters == "gh" and rng.random() < _SECOND_PORTRAIT:
            _second_portrait(sketch, rng, pictures.portrait(rng, fine))
        _print_back(sketch, layout, spec, rng)
    return sketch.image


def _portrait_right(layout: SideLayout) -> SideLayout:
    """The portrait at the other end, the column of text in its place; the last row stays."""
    x0, y0, x1, y1 = layout.places["portrait"]
    texts = tuple(replace(slot, at=(slot.at[0] - _COLUMN_MM, slot.at[1])) if slot.at[0] > _COLUMN_MM and slot.at[1] < y0 + 33
                  else slot for slot in layout.texts)
    portrait = [CARD_MM[0] - x1, y0, CARD_MM[0] - x0, y1]
    return SideLayout(texts, layout.places | {"portrait": portrait})


def _spec(rng: random.Random, model: CardModel) -> CardSpec:
    issue = rng.randint(2014, 2026) if model >= CardModel.E else rng.randint(2013, 2014)
    person = invent_person(rng, rng.choice(("person_a", "person_b")), adult_by=2013, abroad=model.issued_abroad)
    return CardSpec(model, person, issue, issue + 10, rng.randrange(2**31))


def _print_back(sketch: Sketch, layout: SideLayout, spec: CardSpec, rng: random.Random) -> None:
    """The specimens' back without codes and zone, and these sketched: their modules are no pixel wide here."""
    bare = SideLayout(layout.texts, {name: place for name, place in layout.places.items() if name not in (*_CODES, "mrz")})
    draw_back(sketch, bare, printed_values(spec), spec.person, spec.issue_year, spec.seed, None, spec.person)
    for name in _CODES:
        place = layout.places.get(name)
        if place is not None and (name != "small_qr" or spec.model.has_qr_back):
            draw_code(sketch, name, (place["at"][0], place["at"][1]), place, rng)
    if "mrz" in layout.places and spec.model.has_mrz:
        place = layout.places["mrz"]
        draw_mrz(sketch, right_mrz(spec), (place["at"][0], place["at"][1]), place["pitch"], rng)


def draw_code(sketch: Sketch, name: str, at: tuple[float, float], place: dict[str, float], rng: random.Random) -> None:
    """Random modules of a code's size on a light patch; finder marks where it is a QR."""
    if name == "linear":
        modules, size = _modules(rng, 1, _LINEAR_MODULES), (rng.uniform(*_LINEAR_MM), place["height"])
    elif name == "pdf417":
        rows, columns = _pdf417_shape()
        grown = rng.uniform(0.8, 1.25)
        modules = _modules(rng, rows, columns)
        size = (columns * MODULE_MM * grown, rows * MODULE_MM * grown * rng.uniform(0.8, 1.2))
    else:
        count = _SMALL_MODULES if name == "small_qr" else 97
        modules, size = _modules(rng, count, count), (place["size"], place["size"])
        for row, column in ((0, 0), (0, count - 7), (count - 7, 0)):
            modules[row:row + 7, column:column + 7] = 255
            modules[row + 1:row + 6, column + 1:column + 6] = 0
            modules[row + 2:row + 5, column + 2:column + 5] = 255
    width, height = max(4, round(size[0] * SCALE)), max(4, round(size[1] * SCALE))
    x, y, quiet = round(at[0] * SCALE), round(at[1] * SCALE), rng.choice((0, 4, 8, 12))
    patch = np.full((height + 2 * quiet, width + 2 * quiet), rng.randint(120, 240), np.uint8)
    sketch.lay(patch, x - quiet, y - quiet, (252, 252, 250))
    fine = width >= modules.shape[1]
    ink = cv2.resize(modules, (width, height), interpolation=cv2.INTER_NEAREST if fine else cv2.INTER_AREA)
    sketch.lay(np.asarray(ink, dtype=np.uint8), x, y, sketch.inks["code"])


def _modules(rng: random.Random, rows: int, columns: int) -> Image:
    bits = np.frombuffer(rng.randbytes(rows * columns), np.uint8).reshape(rows, columns)
    return np.where(bits & 1, 255, 0).astype(np.uint8)


@functools.cache
def _pdf417_shape() -> tuple[int, int]:
    """Rows and columns of modules of the specimens' PDF417."""
    rows, columns = codes.pdf417(random.Random(0))[1].shape
    return rows, columns


def draw_mrz(sketch: Sketch, lines: tuple[str, str, str], at: tuple[float, float], pitch: float, rng: random.Random) -> None:
    """Three lines in OCR-B strokes, a little wider or narrower than the standard has them."""
    height = round(ocrb.HEIGHT_MM * SCALE * rng.uniform(0.85, 1.15))
    wide = rng.uniform(0.92, 1.04)
    pen = rng.uniform(0.8, 1.4)
    for index, line in enumerate(lines):
        ink = 255 - ocrb.draw_mrz_line(line, 27, pen)
        size = (round(30 * 2.54 * SCALE * wide), height)
        small = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        sketch.lay(small, round(at[0] * SCALE), round((at[1] + index * pitch) * SCALE), sketch.inks["value"])


def _second_portrait(sketch: Sketch, rng: random.Random, picture: Image) -> None:
    height = rng.uniform(9, 22)
    x, y = rng.uniform(2, 78 - 0.78 * height), rng.uniform(2, 38 - height * 0.8)
    sketch.picture(picture, (x, y, x + 0.78 * height, y + height))
