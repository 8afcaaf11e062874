"""Both sides against the templates of their models: how well each fits, which models each leaves, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import (
    Alignment,
    FaceEvidence,
    MrzEvidence,
    PhotoEvidence,
    SideEvidence,
    SidesFault,
    TemplateEvidence,
)
from pipeline.domain.template import Templates
from pipeline.stages.read_codes import CardCode
from pipeline.stages.read_front import FrontText
from pipeline.stages.register import Fit, Registration, back_anchors, front_anchors, register


@dataclass(frozen=True, slots=True)
class AlignedSides:
    """The registration of each side that was found, and what the two say together."""

    registrations: Mapping[Side, Registration]
    evidence: Alignment

    @property
    def layouts(self) -> Mapping[Side, tuple[CardModel, ...]]:
        """What each side's print says of the model, for `identify_model`."""
        return {side: registration.models for side, registration in self.registrations.items()}

    def fit(self, side: Side, candidates: Iterable[CardModel] = ()) -> Fit | None:
        """The side's best fit among the templates of the candidates; of all templates where there are none of theirs."""
        registration = self.registrations.get(side)
        if registration is None:
            return None
        known = set(candidates)
        return next((fit for fit in registration.fits if known & set(fit.template.models)), registration.best)

    def registered(self, side: SideEvidence, candidates: Iterable[CardModel]) -> SideEvidence:
        """The side's evidence with what its model's template says of it."""
        fit = self.fit(side.side, candidates)
        if fit is None:
            return side
        template = TemplateEvidence(fit.template.models, fit.anchors, fit.astray, fit.shift, fit.scale, fit.turn, fit.found)
        return replace(side, residual_mm=fit.residual_mm, template=template)


def align_sides(photos: Mapping[Side, PhotoEvidence], text: FrontText | None, faces: FaceEvidence,
                codes: tuple[CardCode, ...] | None, mrz: MrzEvidence | None, templates: Templates) -> AlignedSides:
    """text, codes: None where that side was not found. Photos say what each showed, whichever way round they were sent."""
    found: dict[Side, Registration | None] = {}
    if text is not None:
        anchors = front_anchors(text.places, text.readings, faces.portrait, faces.ghost)
        found[Side.FRONT] = register(anchors, templates, Side.FRONT)
    if codes is not None:
        found[Side.BACK] = register(back_anchors(codes, mrz.box_mm if mrz else None), templates, Side.BACK)
    registrations = {side: one for side, one in found.items() if one is not None}
    left = {side: registrations[side].models if side in registrations else () for side in Side}
    return AlignedSides(registrations, Alignment(left[Side.FRONT], left[Side.BACK], tuple(_faults(photos, left))))


def _faults(photos: Mapping[Side, PhotoEvidence], left: Mapping[Side, tuple[CardModel, ...]]) -> Iterator[SidesFault]:
    shown = [photo.shows for photo in photos.values()]
    if len(shown) == 2 and shown[0] is not None and shown[0] is shown[1]:
        yield SidesFault.SAME_SIDE_TWICE
    front, back = (set(left[side]) for side in (Side.FRONT, Side.BACK))
    if front and back and not front & back:
        yield SidesFault.TWO_MODELS
