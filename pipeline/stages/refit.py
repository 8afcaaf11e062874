"""Re-fits a template on cards that were registered to it: each element goes to the median of where it was found. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from pipeline.domain.evidence import BoxMm, TemplateEvidence
from pipeline.domain.template import CARD_MM, Certainty, Element, ElementKind, Template
from pipeline.stages.register import Fit, anchor_point

LEAST_CARDS = 5
"""Fewer sightings of an element leave it where it was: a median of five stands two wrong ones."""
EDGES_KNOWN = (ElementKind.CODE, ElementKind.MRZ)
"""Found with their edges; of print only where it starts is compared, since values differ in length, and of a photo only the
face is found: these are moved as they are."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One element: on how many cards it was found, how far its median lies from the template (mm), and how far half of the
    sightings lie from that median at most. `fitted`: whether they were enough to move it."""

    name: str
    cards: int
    dx: float
    dy: float
    spread: float
    fitted: bool


def refit(template: Template, sightings: Sequence[TemplateEvidence]) -> tuple[Template, tuple[Moved, ...]]:
    """The new template, and what moved. sightings: cards of its models, each as it was registered to this very template.

    A card's own shift, scale and turn (its corners' error) are taken out of what was found on it; their medians over all
    cards, which the print has in common, are put back.
    """
    poses = [_fit(template, one) for one in sightings]
    common = _fit(template, _median_pose(sightings)) if sightings else None
    elements, moves = [], []
    for element in template.elements:
        boxes = [common.forth(pose.back(box)) for pose, one in zip(poses, sightings, strict=True) if common is not None
                 for name, box in one.found if name == element.name]
        moved = _moved(element, boxes)
        moves.append(moved)
        elements.append(_placed(element, moved, boxes) if moved.fitted else element)
    return replace(template, elements=tuple(elements)), tuple(moves)


def _fit(template: Template, seen: TemplateEvidence) -> Fit:
    return Fit(template, seen.shift, seen.scale, seen.turn, None, seen.anchors, (), (), 0.0)


def _median_pose(sightings: Sequence[TemplateEvidence]) -> TemplateEvidence:
    first = sightings[0]
    shift = median(one.shift[0] for one in sightings), median(one.shift[1] for one in sightings)
    return replace(first, shift=shift, scale=median(one.scale for one in sightings), turn=median(one.turn for one in sightings))


def _moved(element: Element, boxes: Sequence[BoxMm]) -> Moved:
    if not boxes:
        return Moved(element.name, 0, 0.0, 0.0, 0.0, False)
    off = np.array([anchor_point(element.kind, box) for box in boxes]) - anchor_point(element.kind, element.box)
    middle = np.median(off, axis=0)
    spread = float(np.median(np.linalg.norm(off - middle, axis=1)))
    return Moved(element.name, len(boxes), float(middle[0]), float(middle[1]), spread, len(boxes) >= LEAST_CARDS)


def _placed(element: Element, moved: Moved, boxes: Sequence[BoxMm]) -> Element:
    if element.kind in EDGES_KNOWN:
        x0, y0, x1, y1 = (float(edge) for edge in np.median(np.array(boxes), axis=0))
    else:
        x0, y0, x1, y1 = element.box
        x0, y0, x1, y1 = x0 + moved.dx, y0 + moved.dy, x1 + moved.dx, y1 + moved.dy
    box = (round(max(x0, 0.0), 2), round(max(y0, 0.0), 2), round(min(x1, CARD_MM[0]), 2), round(min(y1, CARD_MM[1]), 2))
    return replace(element, box=box, certainty=Certainty.FITTED)
