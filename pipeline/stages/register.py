"""Fits the templates of a side to what was found on it: how far the print stands from its priors, and which model fits best.

A template is a prior with `PLAY_MM` of play: an element that stands elsewhere is named, and fails nothing. The map from
template to card is a similarity close to none (the corners are known), found by least squares with what stands too far left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import BoxMm, CodeRole, CodeStatus, FaceFound, FieldReading
from pipeline.domain.template import CARD_MM, PLAY_MM, Certainty, Element, ElementKind, Template
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.read_codes import CardCode

LEAST_ANCHORS = 3
"""A similarity has four unknowns and an anchor gives two: with fewer than three nothing is left to judge the fit by."""
ROUNDS = 3
CENTRE = np.array(CARD_MM) / 2
PENALTY = np.diag([1 / 1.0, 1 / 1.0, 1 / 0.005, 1 / 0.005]) ** 2
"""From how far shift (mm, in x and y), scale and turn (radians) may lie from none: the corners come from the card's own
edges, so what is left is their error and the printer's registration, under a millimetre."""
SPREAD_MM = {Certainty.OFFICIAL: 0.5, Certainty.FITTED: 0.5, Certainty.SEVERAL: 1.0, Certainty.ONE: 1.2, Certainty.INFERRED: 1.7}
"""How far from its box an element is expected; the last is PLAY_MM's uniform spread."""
MISSING = 0.4
"""What a label that the template has and the card does not show counts against it, a label found being 1: glare and slips of
reading hide labels."""
UNKNOWN = 1.5
"""What a label, heading or code counts against a template that does not have it: print is seldom read that is not there."""
FADE_MM = 2 * PLAY_MM
"""Where an element stops to speak for a template."""
SIGNS = (ElementKind.LABEL, ElementKind.HEADING, ElementKind.CODE)
"""What speaks against a template that does not have it. A value does not: it may have been misread."""
EQUAL = 0.04
"""Templates whose scores lie this close fit equally well."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Something found on the card. `key`: the wording of a label or heading, the role of a code, else the element's name."""

    kind: ElementKind
    key: str
    box: BoxMm


@dataclass(frozen=True, slots=True)
class Fit:
    """One template on one card.

    shift (mm), scale and turn (radians, about the card's middle) take the template to the card.  residual_mm: root mean square
    distance of the anchors within `PLAY_MM`; None below `LEAST_ANCHORS`.  astray: those that stand farther.  score: at most
    1, what speaks for the template less what speaks against it; comparable between templates of one card.
    """

    template: Template
    shift: tuple[float, float]
    scale: float
    turn: float
    residual_mm: float | None
    anchors: int
    astray: tuple[str, ...]
    unknown: tuple[str, ...]
    """Keys of what was found and the template does not have."""
    score: float
    found: tuple[tuple[str, BoxMm], ...] = ()
    """Elements by name, each with the box that was taken for it."""

    def place(self, element: Element) -> BoxMm:
        """Where the element should be on this card."""
        return self.forth(element.box)

    def forth(self, box: BoxMm) -> BoxMm:
        """A box of the template on the card."""
        x0, y0, x1, y1 = (_rows(_corners(box)) @ [*self.shift, self.scale - 1, self.turn]).reshape(2, 2).T.ravel() + box
        return float(x0), float(y0), float(x1), float(y1)

    def back(self, box: BoxMm) -> BoxMm:
        """A box of the card on the template."""
        moved = _corners(box) - self.shift - CENTRE
        x, y = moved.T
        size = self.scale**2 + self.turn**2
        (x0, x1), (y0, y1) = (self.scale * x + self.turn * y) / size, (self.scale * y - self.turn * x) / size
        return float(x0 + CENTRE[0]), float(y0 + CENTRE[1]), float(x1 + CENTRE[0]), float(y1 + CENTRE[1])


@dataclass(frozen=True, slots=True)
class Registration:
    """The best fit first. `models`: those whose template fits best, or as well; empty where too little was found to tell."""

    fits: tuple[Fit, ...]
    models: tuple[CardModel, ...]

    @property
    def best(self) -> Fit:
        return self.fits[0]


def register(anchors: Sequence[Anchor], templates: Iterable[Template], side: Side) -> Registration | None:
    """Every template of the side against what was found there; None where there is no template."""
    fits = sorted((fit_template(anchors, one) for one in templates if one.side is side), key=lambda fit: -fit.score)
    if not fits:
        return None
    best = [fit for fit in fits if fit.score >= fits[0].score - EQUAL]
    speaks = fits[0].residual_mm is not None and not set.intersection(*(set(fit.unknown) for fit in fits))
    models = tuple(sorted({model for fit in best for model in fit.template.models})) if speaks else ()
    return Registration(tuple(fits), models)


def fit_template(anchors: Sequence[Anchor], template: Template) -> Fit:
    """Pairs anchors with elements, fits, and weighs what agrees, what stands elsewhere, what is unknown and what is missing."""
    pairs, unknown = _pairs(anchors, template)
    found = {element.name for element, _ in pairs}
    missing = [one for one in template.elements if one.kind is ElementKind.LABEL and not one.optional and one.name not in found]
    read_labels = any(anchor.kind is ElementKind.LABEL for anchor in anchors)
    if not pairs:
        return Fit(template, (0.0, 0.0), 1.0, 0.0, None, 0, (), unknown, -1.0)
    want = np.array([anchor_point(element.kind, element.box) for element, _ in pairs])
    seen = np.array([anchor_point(element.kind, anchor.box) for element, anchor in pairs])
    spread = np.array([SPREAD_MM[element.certainty] for element, _ in pairs])
    pose, off = _fitted(want, seen, spread)
    near = np.abs(off).max(axis=1) <= PLAY_MM
    distance = np.linalg.norm(off, axis=1)
    residual = float(np.sqrt(np.mean(distance[near] ** 2))) if near.sum() >= LEAST_ANCHORS else None
    agreement = np.clip(1 - (distance / FADE_MM) ** 2, 0, 1).sum()
    against = UNKNOWN * len(unknown) + (MISSING * len(missing) if read_labels else 0.0)
    names = tuple(element.name for (element, _), is_near in zip(pairs, near, strict=True) if not is_near)
    return Fit(template, (float(pose[0]), float(pose[1])), float(1 + pose[2]), float(pose[3]), residual, len(pairs), names,
               unknown, float((agreement - against) / (len(pairs) + len(unknown))),
               tuple((element.name, anchor.box) for element, anchor in pairs))


def _pairs(anchors: Sequence[Anchor], template: Template) -> tuple[list[tuple[Element, Anchor]], tuple[str, ...]]:
    """Each element with the nearest anchor of its kind and key; and the keys of `SIGNS` that no element has."""
    keys: dict[tuple[ElementKind, str], list[Element]] = {}
    for element in template.elements:
        for key in (element.texts or (element.role or element.name,)):
            keys.setdefault((element.kind, str(key)), []).append(element)
    nearest: dict[str, tuple[float, Element, Anchor]] = {}
    unknown = []
    for anchor in anchors:
        elements = keys.get((anchor.kind, anchor.key), [])
        if not elements and anchor.kind in SIGNS:
            unknown.append(anchor.key)
        for element in elements:
            off = math.dist(anchor_point(element.kind, element.box), anchor_point(anchor.kind, anchor.box))
            if element.name not in nearest or off < nearest[element.name][0]:
                nearest[element.name] = off, element, anchor
    return [(element, anchor) for _, element, anchor in nearest.values()], tuple(sorted(set(unknown)))


def anchor_point(kind: ElementKind, box: BoxMm) -> tuple[float, float]:
    """What of a box is compared: print starts at the left and ends where its text does; pictures and codes have a middle."""
    x0, y0, x1, y1 = box
    text = kind in (ElementKind.LABEL, ElementKind.HEADING, ElementKind.FIELD)
    return x0 if text else (x0 + x1) / 2, (y0 + y1) / 2


Points = NDArray[np.float64]


def _fitted(want: Points, seen: Points, spread: Points) -> tuple[Points, Points]:
    """shift x, shift y, scale - 1 and turn, and what is left of each anchor, (N, 2) mm. Starts from the median shift, so that
    one thing far off does not pull the rest; what is beyond `PLAY_MM` is then left out."""
    pose = np.array([*np.clip(np.median(seen - want, axis=0), -PLAY_MM / 2, PLAY_MM / 2), 0.0, 0.0])
    count = len(want)
    rows, target = _rows(want), (seen - want).T.ravel()
    for _ in range(ROUNDS):
        off = (target - rows @ pose).reshape(2, count)
        kept = (np.abs(off).max(axis=0) <= PLAY_MM) / spread
        weighted = rows * np.concatenate([kept, kept])[:, None]
        pose = np.linalg.solve(weighted.T @ weighted + PENALTY, weighted.T @ (target * np.concatenate([kept, kept])))
    return pose, (target - rows @ pose).reshape(2, count).T


def _corners(box: BoxMm) -> Points:
    return np.array([box[:2], box[2:]])


def _rows(points: Points) -> Points:
    """(2N, 4): how far x of each point, then y of each, moves with shift x, shift y, scale and turn."""
    x, y = (points - CENTRE).T
    rows = np.zeros((2 * len(points), 4))
    rows[:len(points), 0], rows[len(points):, 1] = 1, 1
    rows[:, 2], rows[:, 3] = np.concatenate([x, y]), np.concatenate([-y, x])
    return rows


def front_anchors(labels: Sequence[tuple[str, str | None, BoxMm]], readings: Mapping[str, tuple[FieldReading, ...]],
                  portrait: FaceFound | None, ghost: FaceFound | None) -> tuple[Anchor, ...]:
    """What was found on a front. labels: wording, field (None: a heading) and box of each."""
    found = [Anchor(ElementKind.HEADING if field is None else ElementKind.LABEL, text, box) for text, field, box in labels
             if text not in NOT_PRINTED]
    found += [Anchor(ElementKind.FIELD, name, values[0].box_mm) for name, values in readings.items()
              if values and values[0].box_mm is not None and name not in READ_TOGETHER]
    found += [Anchor(kind, str(kind), face.box) for kind, face in ((ElementKind.PHOTO, portrait), (ElementKind.GHOST, ghost))
              if face is not None]
    return tuple(found)


READ_TOGETHER = ("issue_number",)
"""Read in one piece with the year of registration, and so without a place of its own."""
NOT_PRINTED = ("MUESTRA",)
"""What is written across specimens, anywhere."""


def back_anchors(codes: Iterable[CardCode], mrz_box: BoxMm | None) -> tuple[Anchor, ...]:
    """What was found on a back: the codes that were read, and the band of three lines."""
    found = []
    for code in codes:
        if code.status is not CodeStatus.DETECTED and code.role is not CodeRole.FOREIGN:
            (x0, y0), (x1, y1) = code.corners.min(axis=0) / PX_PER_MM, code.corners.max(axis=0) / PX_PER_MM
            found.append(Anchor(ElementKind.CODE, str(code.role), (float(x0), float(y0), float(x1), float(y1))))
    if mrz_box is not None:
        found.append(Anchor(ElementKind.MRZ, "mrz", mrz_box))
    return tuple(found)
