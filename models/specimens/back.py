"""The back of a specimen: codes, machine-readable zone, signature, fingerprint, vote boxes, an officer who does not exist."""

from __future__ import annotations

import random
from collections.abc import Mapping

from models.specimens import codes
from models.specimens.canvas import MODULE_MM, PX_PER_MM, Canvas
from models.specimens.front import sign, write
from models.specimens.layout import STYLES, SideLayout
from models.specimens.pen import fingerprint_mask
from models.specimens.people import Person
from pipeline.domain.evidence import BoxMm, CodeRole, Symbology

OFFICERS = ("AURELIO VALDOVINOS MUESTRA", "ROSAURA TAMARIT EJEMPLO", "ERNESTO OLVERA MODELO")
"""Invented: no officer of INE ever had these names."""
_LINEAR_MODULE_PX = 10
_VOTE_YEARS = 4


def draw_back(canvas: Canvas, layout: SideLayout, values: Mapping[str, str], person: Person, issue_year: int, seed: int,
              mrz: tuple[str, str, str] | None, qr_person: Person) -> None:
    """Prints a back. Payloads hang on `seed` and the person alone, never on `jitter_mm`."""
    for box in layout.places.get("votes", ()):
        _votes(canvas, (box[0], box[1], box[2], box[3]), box[4], issue_year)
    if (box := layout.box("fingerprint")) is not None:
        width, height = (round(PX_PER_MM * (box[axis + 2] - box[axis])) for axis in (0, 1))
        canvas.ink(fingerprint_mask(random.Random(f"{person.citizen_id} finger"), width, height), box, "finger")
    if (box := layout.box("signature")) is not None:
        sign(canvas, person.citizen_id, box)
    if (box := layout.box("officer")) is not None:
        sign(canvas, values["officer"], box)
    write(canvas, layout, values)
    _codes(canvas, layout, values, qr_person, issue_year, seed)
    if mrz is not None:
        place = layout.places["mrz"]
        canvas.mrz(mrz, (place["at"][0], place["at"][1]), place["pitch"], random.Random(f"{seed} pen").uniform(0.88, 1.12))


def _codes(canvas: Canvas, layout: SideLayout, values: Mapping[str, str], qr_person: Person, issue_year: int, seed: int) -> None:
    places = layout.places
    module = round(MODULE_MM * PX_PER_MM)
    if (place := places.get("linear")) is not None:
        payload, modules = codes.code128(values["linear"])
        canvas.code(Symbology.CODE128, CodeRole.LINEAR, payload, modules, tuple(place["at"]), _LINEAR_MODULE_PX,
                    round(place["height"] * PX_PER_MM))
    if (place := places.get("pdf417")) is not None:
        payload, modules = codes.pdf417(random.Random(f"{seed} pdf417"))
        canvas.code(Symbology.PDF417, CodeRole.PDF417, payload, modules, tuple(place["at"]), module)
    for name, role in (("large_left", CodeRole.LARGE_LEFT), ("large_right", CodeRole.LARGE_RIGHT)):
        if (place := places.get(name)) is not None:
            payload, modules = codes.large_qr(role is CodeRole.LARGE_RIGHT, random.Random(f"{seed} {name}"))
            canvas.code(Symbology.QR, role, payload, modules, tuple(place["at"]), module)
    if (place := places.get("small_qr")) is not None and values["small_qr"]:
        payload, modules = codes.small_qr(qr_person, issue_year, random.Random(f"{seed} small"))
        canvas.code(Symbology.QR, CodeRole.SMALL, payload, modules, tuple(place["at"]),
                    round(place["size"] * PX_PER_MM / modules.shape[1]))


def _votes(canvas: Canvas, box: BoxMm, caption: str, issue_year: int) -> None:
    """A frame of small squares for the stamps of elections, with its caption and years."""
    middle = ((box[0] + box[2]) / 2, box[1] - 0.5)
    canvas.text("heading", caption, middle, STYLES["tiny"], align="middle", width_mm=box[2] - box[0])
    columns = 2
    rows = _VOTE_YEARS // columns
    for index in range(_VOTE_YEARS):
        width, height = (box[2] - box[0]) / columns, (box[3] - box[1]) / rows
        left, top = box[0] + width * (index % columns), box[1] + height * (index // columns)
        canvas.frame((left, top, left + width, top + height), "label", 3)
        year = f"{(issue_year + 1 + 3 * index) % 100:02d}"
        canvas.text("heading", year, (left + 0.5, top + 1.6), STYLES["tiny"])
