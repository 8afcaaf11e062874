"""Values of the front whose labels were not read, taken by the place that their model's template gives them, and by their shape.

Labels are printed half as high as values, and are lost first. A value found so is never sure: no public text gives exact places,
and what stands where another model has it would be taken for the wrong thing. It may confirm another source, and accuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from pipeline.domain.evidence import BoxMm, FieldReading
from pipeline.domain.template import PLAY_MM, ElementKind
from pipeline.stages import field_values as values
from pipeline.stages.read_front import SOURCE, FrontText
from pipeline.stages.read_lines import Piece, pieces_of
from pipeline.stages.register import Fit, anchor_point

LEAST, AT_MOST = 0.5, 0.5
"""Confidence below which a line is not taken without its label, and what it counts for then: a doubt, as of other readings that
may be torn. Of 42 good hard fronts (`apoyo bench reading`) the one wrong value that stood in place was read with 0.06."""

Parser = Callable[[str], Mapping[str, str]]


def _one(name: str, parse: Callable[[str], str | None]) -> Parser:
    def parser(text: str) -> Mapping[str, str]:
        value = parse(text)
        return {} if value is None else {name: value}
    return parser


def _registration(text: str) -> Mapping[str, str]:
    found = values.registration(text)
    return {} if found is None else {"registration_year": found[0], "issue_number": found[1]}


BY_PLACE: Mapping[str, Parser] = {
    "sex": _one("sex", values.sex), "section": _one("section", values.PARSERS["section"]), "registration_year": _registration,
    "issue_year": _one("issue_year", values.year), "expiry_year": _one("expiry_year", values.year)}
"""By the template's element: values of so few shapes that a line of print is seldom one by chance. A state is not among them: how
long a card is valid may hang on it."""


def with_values_by_place(text: FrontText, fit: Fit | None) -> FrontText:
    """`text` with what stands where the template has a field that was not read.

    fit: the front's registration to its model's template; None, or one of too few anchors: nothing is added.
    """
    if fit is None or fit.residual_mm is None:
        return text
    taken = [one.box_mm for found in text.readings.values() for one in found if one.box_mm is not None]
    free = [piece for line in text.lines for piece in pieces_of(line)
            if piece.label is None and piece.confidence >= LEAST and not any(_overlap(piece.box_mm, box) for box in taken)]
    added: dict[str, tuple[FieldReading, ...]] = {}
    for element in fit.template.elements:
        parse = BY_PLACE.get(element.name) if element.kind is ElementKind.FIELD else None
        if parse is None or element.name in text.readings:
            continue
        place = fit.place(element)
        near = sorted((piece for piece in free if _off(place, piece) <= PLAY_MM), key=partial(_off, place))
        found = next(((piece, named) for piece in near if (named := parse(piece.text))), None)
        if found is not None:
            piece, named = found
            free.remove(piece)
            added |= {name: (FieldReading(value, min(piece.confidence, AT_MOST), SOURCE, piece.box_mm),)
                      for name, value in named.items() if name not in text.readings}
    return replace(text, readings={**text.readings, **added}) if added else text


def _off(place: BoxMm, piece: Piece) -> float:
    """Millimetres between where print should begin and where it does, in x or y, whichever is more."""
    want, seen = (anchor_point(ElementKind.FIELD, box) for box in (place, piece.box_mm))
    return max(abs(want[0] - seen[0]), abs(want[1] - seen[1]))


def _overlap(a: BoxMm, b: BoxMm) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
