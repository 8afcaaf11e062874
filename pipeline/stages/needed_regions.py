"""The places on each side that its checks need: where the thing was read, else where the registered template has it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pipeline.domain.evidence import BoxMm, CodeRole, CodeStatus, MrzEvidence
from pipeline.domain.template import CARD_MM, Element, ElementKind
from pipeline.domain.verdict import CheckName
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.read_codes import CardCode
from pipeline.stages.region_quality import Place
from pipeline.stages.register import Fit

MARGIN_MM = 0.8
"""Round a line of print: registration leaves about a millimetre."""


def front_places(fit: Fit | None, read: Collection[str], *, has_portrait: bool) -> dict[str, Place]:
    """The photo and each value that the side is judged by. read: names of the fields that were read."""
    found = {}
    for element in _needed(fit):
        if fit is not None and element.kind is ElementKind.PHOTO:
            found[element.name] = Place(fit.place(element), has_portrait)
        elif fit is not None and element.kind is ElementKind.FIELD:
            found[element.name] = Place(_grown(fit.place(element)), element.name in read)
    return found


def back_places(fit: Fit | None, codes: Iterable[CardCode], mrz: MrzEvidence | None) -> dict[str, Place]:
    """The MRZ and the small QR, where this template has them."""
    small = next((code for code in codes if code.role is CodeRole.SMALL and code.status is not CodeStatus.DETECTED), None)
    found = {}
    for element in _needed(fit):
        if fit is None:
            continue
        place = fit.place(element)
        if element.kind is ElementKind.MRZ:
            valid = mrz is not None and mrz.valid
            seen = mrz.box_mm if mrz is not None else None
            # a band that glare or a finger tore ends where they begin
            found[element.name] = Place(place if seen is None else seen if valid else _hull(place, seen), valid)
        elif element.role is CodeRole.SMALL:
            found[element.name] = Place(place if small is None else _box_of(small), small is not None)
    return found


def _hull(a: BoxMm, b: BoxMm) -> BoxMm:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _needed(fit: Fit | None) -> tuple[Element, ...]:
    elements = fit.template.elements if fit is not None else ()
    return tuple(element for element in elements if CheckName.SIDE_QUALITY in element.needed_for)


def _grown(box: BoxMm) -> BoxMm:
    x0, y0, x1, y1 = box
    return max(x0 - MARGIN_MM, 0), max(y0 - MARGIN_MM, 0), min(x1 + MARGIN_MM, CARD_MM[0]), min(y1 + MARGIN_MM, CARD_MM[1])


def _box_of(code: CardCode) -> BoxMm:
    (x0, y0), (x1, y1) = code.corners.min(axis=0) / PX_PER_MM, code.corners.max(axis=0) / PX_PER_MM
    return float(x0), float(y0), float(x1), float(y1)
