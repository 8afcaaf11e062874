"""The places on each side that its checks need: where the thing was found, else where the registered template has it."""

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
    small = min((code for code in codes if code.role is CodeRole.SMALL), key=lambda code: code.status is CodeStatus.DETECTED,
                default=None)
    found = {}
    for element in _needed(fit):
        if fit is None:
            continue
        if element.kind is ElementKind.MRZ:
            box = mrz.box_mm if mrz is not None and mrz.box_mm is not None else fit.place(element)
            found[element.name] = Place(box, mrz is not None and mrz.valid)
        elif element.role is CodeRole.SMALL:
            box = fit.place(element) if small is None else _box_of(small)
            found[element.name] = Place(box, small is not None and small.status is not CodeStatus.DETECTED)
    return found


def _needed(fit: Fit | None) -> tuple[Element, ...]:
    elements = fit.template.elements if fit is not None else ()
    return tuple(element for element in elements if CheckName.SIDE_QUALITY in element.needed_for)


def _grown(box: BoxMm) -> BoxMm:
    x0, y0, x1, y1 = box
    return max(x0 - MARGIN_MM, 0), max(y0 - MARGIN_MM, 0), min(x1 + MARGIN_MM, CARD_MM[0]), min(y1 + MARGIN_MM, CARD_MM[1])


def _box_of(code: CardCode) -> BoxMm:
    (x0, y0), (x1, y1) = code.corners.min(axis=0) / PX_PER_MM, code.corners.max(axis=0) / PX_PER_MM
    return float(x0), float(y0), float(x1), float(y1)
