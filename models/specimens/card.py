"""A whole specimen credential, drawn: both sides, and what is printed where."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.specimens import fonts
from models.specimens.back import OFFICERS, draw_back
from models.specimens.canvas import Canvas, DrawnCode, DrawnText, Rgb
from models.specimens.front import draw_front
from models.specimens.ground import draw_emblem, draw_ground
from models.specimens.layout import STYLES, load_layout
from models.specimens.names import STATE_NAMES
from models.specimens.people import Person
from models.specimens.wear import wear
from pipeline.domain import mrz
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import BoxMm

_SEX_SHOWN = 0.85
"""Share of G and H cards whose citizen shows the sex on the front: a guess, no figure is public."""


@dataclass(frozen=True, slots=True)
class CardSpec:
    """Which card to draw. Equal specs (and portraits) give equal bytes.

    show_sex: None lets the seed choose on G and H.  overrides: printed text by field name (`curp`, `address_1`, `sex`, …)
    in place of the person's; "" leaves a value and its label out.  mrz_lines: in place of the right ones.  qr_person: whom the
    small QR names, in place of the person.
    """

    model: CardModel
    person: Person
    issue_year: int
    expiry_year: int
    seed: int
    jitter_mm: float = 0
    show_sex: bool | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    mrz_lines: tuple[str, str, str] | None = None
    qr_person: Person | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` for a card older than its holder's registration (`invent_person` takes `adult_by`)."""
        if self.issue_year < self.person.registration_year:
            raise ValueError(f"a card of {self.issue_year} needs a person invented with adult_by={self.issue_year} or less")


@dataclass(frozen=True, slots=True)
class DrawnSide:
    """One side as printed, upright, square corners (the camera cuts them round)."""

    image: NDArray[np.uint8]
    """(2159, 3424, 3) BGR uint8, 40 px/mm."""
    texts: tuple[DrawnText, ...]
    codes: tuple[DrawnCode, ...]
    mrz: tuple[str, str, str] | None
    portrait_box_mm: BoxMm | None
    ghost_box_mm: BoxMm | None


@dataclass(frozen=True, slots=True)
class DrawnCard:
    front: DrawnSide
    back: DrawnSide


def draw_card(spec: CardSpec, portrait: NDArray[np.uint8]) -> DrawnCard:
    """Draws both sides. `portrait`: (H, W, 3) BGR uint8, framed as `FacePhoto.portrait()`. `ValueError` for models I and J."""
    front_layout, back_layout = load_layout(spec.model)
    values = printed_values(spec)
    lines = (spec.mrz_lines or right_mrz(spec)) if spec.model.has_mrz else None
    family = random.Random(f"{spec.seed} family").randrange(len(fonts.FAMILIES))

    front = _sheet(spec, "front", family)
    boxes = draw_front(front, front_layout, values, portrait, spec.person.citizen_id)
    back = _sheet(spec, "back", family)
    draw_back(back, back_layout, values, spec.person, spec.issue_year, spec.seed, lines, spec.qr_person or spec.person)
    return DrawnCard(
        DrawnSide(_finish(front, spec, "front"), tuple(front.texts), tuple(front.codes), None, *boxes),
        DrawnSide(_finish(back, spec, "back"), tuple(back.texts), tuple(back.codes), lines, None, None),
    )


def right_mrz(spec: CardSpec) -> tuple[str, str, str]:
    """The three lines that agree with the rest of the card."""
    person = spec.person
    optional = f"{random.Random(f'{spec.seed} optional').randrange(100_000):05d}"
    return mrz.format_td1(person.cic, person.section, person.citizen_id, person.birth, person.sex, spec.expiry_year,
                          int(person.issue_number), optional, person.paternal, person.maternal, person.given)


def printed_values(spec: CardSpec) -> dict[str, str]:
    """Every value that a layout may print, by field name; "" where this card does not show it."""
    person, model = spec.person, spec.model
    address = (*person.address, "")
    show_sex = spec.show_sex
    if show_sex is None:
        show_sex = model < CardModel.G or random.Random(f"{spec.seed} sex").random() < _SEX_SHOWN
    values = {
        "paternal_surname": person.paternal, "maternal_surname": person.maternal, "given_names": person.given,
        "address_1": address[0], "address_2": address[1], "address_3": address[2],
        "elector_key": person.elector_key, "curp": person.curp,
        "registration_year": str(person.registration_year), "issue_number": person.issue_number,
        "state": person.state_code, "municipality": person.municipality_code, "section": person.section,
        "locality": person.locality, "issue_year": str(spec.issue_year), "expiry_year": str(spec.expiry_year),
        "birth_date": f"{person.birth:%d/%m/%Y}", "sex": person.sex if show_sex else "",
        "age": str(person.age_in(spec.issue_year)), "folio": f"{person.cic}{person.section}",
        "birth_place": STATE_NAMES[person.birth_state], "ocr": person.section + person.citizen_id,
        "linear": person.cic if model.has_mrz else person.section + person.citizen_id,
        "institute": "NACIONAL" if model >= CardModel.E else "FEDERAL",
        "officer": OFFICERS[spec.seed % len(OFFICERS)], "small_qr": "yes" if model.has_qr_back else "",
    }
    if model in (CardModel.A, CardModel.B):
        values |= {"curp": "", "expiry_year": ""}  # printed from 2008 on, on C
    return values | dict(spec.overrides)


def _sheet(spec: CardSpec, side: str, family: int) -> Canvas:
    """The ground, the mark and the inks of one side."""
    rng = random.Random(f"{spec.seed} {spec.model} {side} ground")
    ground = draw_ground(rng, fonts.family(family)[2])
    if side == "front":
        draw_emblem(ground, (79.4, 6.4), 4.0, rng)
    canvas = Canvas(ground, _inks(spec), family, spec.jitter_mm, random.Random(f"{spec.seed} {side} jitter"))
    if side == "back":
        canvas.text("specimen", "MUESTRA", (81.6, 53.2), STYLES["mark_back"], align="middle")
    return canvas


def _inks(spec: CardSpec) -> dict[str, Rgb]:
    """Inks of one card; how dark its print came out hangs on the seed."""
    rng = random.Random(f"{spec.seed} inks")
    dark = rng.randint(12, 58)
    label = rng.choice(((96, 84, 104), (88, 96, 104), (110, 86, 92), (84, 96, 84)))
    heading = rng.choice(((120, 40, 92), (70, 62, 84), (60, 80, 70), (96, 56, 60)))
    code = rng.randint(8, 40)
    return {"value": (dark, dark, dark + 4), "label": label, "heading": heading, "code": (code, code, code),
            "pen": (30, 30, 60), "finger": (70, 66, 78), "ghost": (92, 84, 110), "mark": (255, 255, 255),
            "mark_red": (196, 40, 80)}


def _finish(canvas: Canvas, spec: CardSpec, side: str) -> NDArray[np.uint8]:
    return wear(canvas.image, random.Random(f"{spec.seed} {side} wear"))
