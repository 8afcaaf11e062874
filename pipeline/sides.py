"""Both sides of the card, found in whatever the two card photos show: located, told apart, rectified, upright."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture, Part
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import FaceEvidence, MrzEvidence, PhotoEvidence, SideEvidence, Sighting
from pipeline.networks.api import Image, Networks
from pipeline.networks.card_model import CardLook, look_at_card
from pipeline.stages.align_sides import AlignedSides
from pipeline.stages.decode import JpegDecoder, Photo, open_picture
from pipeline.stages.geometry import CARD_MM, Quad, rotate_corners
from pipeline.stages.locate import Located, locate, things
from pipeline.stages.needed_regions import back_places, front_places
from pipeline.stages.places import as_corners
from pipeline.stages.presentation import measure_presentation
from pipeline.stages.quality import measure_quality, photo_blur, photo_light
from pipeline.stages.read_codes import CardCode
from pipeline.stages.read_front import FrontText
from pipeline.stages.read_mrz import TD1_LENGTH
from pipeline.stages.rectify import px_per_mm, rectify
from pipeline.stages.region_quality import Place, measure_regions
from pipeline.stages.survey_side import Survey, survey_by_look, survey_side
from pipeline.stages.survey_text import survey_text
from pipeline.stopwatch import Stopwatch

CARD_SIDE = 2000
"""Long side of a decoded card photo, at least: its print needs 2,000 (design, decision 2)."""


@dataclass(frozen=True, slots=True)
class FoundSide:
    """One side of the card, rectified and upright, and the photo it was found in. `quad` in pixels of the photo's view."""

    evidence: SideEvidence
    photo: Photo
    quad: Quad
    image: Image
    grey: Image
    codes: tuple[CardCode, ...]
    look: CardLook

    def with_regions(self, evidence: SideEvidence, places: Mapping[str, Place]) -> SideEvidence:
        """The evidence with the capture's quality over the places that matter."""
        return replace(evidence, quality=replace(evidence.quality, regions=measure_regions(self.image, places)))


def find_sides(
    capture: Capture, networks: Networks, calibration: Calibration, watch: Stopwatch, jpeg: JpegDecoder | None = None
) -> tuple[Mapping[Side, PhotoEvidence], FoundSide | None, FoundSide | None]:
    """What both card photos show, whichever way round they were sent; a side seen twice is taken from the photo named for it."""
    photos: dict[Side, PhotoEvidence] = {}
    found: dict[Side, FoundSide] = {}
    for capture_side in (Side.FRONT, Side.BACK):
        photos[capture_side], side = look(capture, capture_side, networks, calibration, watch, jpeg)
        if side is not None and (side.evidence.side not in found or side.evidence.side is capture_side):
            found[side.evidence.side] = side
    return photos, found.get(Side.FRONT), found.get(Side.BACK)


def look(capture: Capture, capture_side: Side, networks: Networks, calibration: Calibration,
         watch: Stopwatch, jpeg: JpegDecoder | None = None) -> tuple[PhotoEvidence, FoundSide | None]:
    """One card photo: decode, locate, rectify, and tell which side lies there and which way is up."""
    with watch.stage("decode"):
        photo = open_picture(capture.part(Part(capture_side)), CARD_SIDE, jpeg)
    if photo is None:
        return PhotoEvidence(Sighting.UNREADABLE, None), None
    with watch.stage("locate"):
        located = locate(photo.view, networks, calibration)
    surveyed = which_card(photo, located, networks, calibration, capture_side, watch)
    if surveyed is None:
        cut_off = located.guess if located.sighting is Sighting.CUT else None
        nothing = cut_off is not None and _is_nothing(rectify(photo.view, cut_off), networks, calibration)
        hinted = located.sighting is Sighting.NONE and located.score >= calibration["quality.card_hint_min"]
        blur = photo_blur(photo.view) if hinted else None
        return PhotoEvidence(located.sighting, None, light=photo_light(photo.view), nothing=nothing, blur=blur), None
    quad, survey = surveyed
    if survey.side is None:
        with watch.stage("side_and_codes"):
            survey = survey_text(survey.upright, survey.grey, networks, calibration) or survey
        quad = rotate_corners(quad, 2) if survey.half_turn else quad
    with watch.stage("quality"):
        quality = measure_quality(survey.upright, survey.grey, px_per_mm(quad, photo.scale))
        if survey.side is None:
            regions = measure_regions(survey.upright, {"card": Place((0.0, 0.0, *CARD_MM), read=False)})
            # over a whole card cover says nothing: a portrait's skin is as plain as a finger's
            quality = replace(quality, regions=tuple(replace(region, covered=None) for region in regions))
    seen = PhotoEvidence(Sighting.FOUND, survey.side, survey.confidence, quality)
    if survey.side is None:
        nothing = _is_nothing(survey.upright, networks, calibration)
        return replace(seen, light=photo_light(photo.view), nothing=nothing), None
    with watch.stage("card_look"):
        card_look = look_at_card(survey.upright, networks)
    with watch.stage("presentation"):
        presentation = measure_presentation(survey.upright, photo.view, quad, networks, calibration)
    evidence = SideEvidence(survey.side, capture_side, as_corners(quad * photo.scale), located.score, None, quality, presentation)
    return seen, FoundSide(evidence, photo, quad, survey.upright, survey.grey, survey.codes, card_look)


def _is_nothing(card: Image, networks: Networks, calibration: Calibration) -> bool:
    """Whether what was located looks like no document: a phone, a wall, the sky."""
    return look_at_card(card, networks).shares["not_a_card"] >= calibration["survey.nothing"]


def which_card(photo: Photo, located: Located, networks: Networks, calibration: Calibration, hint: Side,
               watch: Stopwatch) -> tuple[Quad, Survey] | None:
    """The credential among what lies in the picture, and what a look at it tells: a card of another kind beside it, a sheet
    under it or a phone is no reason to ask for the photo again. None where nothing whole was located, or where several things
    show a side of a credential. Where nothing shows one, what looks like one; else what was located first.
    """
    surveyed: list[tuple[Quad, Survey]] = []
    shown = 0
    for quad in watch.timed("locate", things(photo.view, located, networks, calibration)):
        with watch.stage("rectify"):
            lying = rectify(photo.view, quad)
        with watch.stage("side_and_codes"):
            survey = survey_side(lying, networks, calibration, hint)
        surveyed.append((rotate_corners(quad, 2) if survey.half_turn else quad, survey))
        shown += survey.side is not None
        if shown and (located.sighting is not Sighting.SEVERAL or len(surveyed) > len(located.others)):
            break
    if shown == 1:
        return next(one for one in surveyed if one[1].side is not None)
    if located.sighting is not Sighting.FOUND:
        return None
    with watch.stage("side_and_codes"):
        looked = ((quad, survey_by_look(survey.upright, survey.grey, networks, calibration)) for quad, survey in surveyed)
        told = next(((quad, survey) for quad, survey in looked if survey.side is not None), surveyed[0])
    return rotate_corners(told[0], 2) if told[1].half_turn else told[0], told[1]


def front_evidence(front: FoundSide, aligned: AlignedSides, candidates: tuple[CardModel, ...], text: FrontText | None,
                   faces: FaceEvidence) -> SideEvidence:
    """The front registered to its model's template, and its quality where it matters."""
    read = text.readings if text else {}
    places = front_places(aligned.fit(Side.FRONT, candidates), read, has_portrait=faces.portrait is not None)
    return front.with_regions(aligned.registered(front.evidence, candidates), places)


def back_evidence(back: FoundSide, aligned: AlignedSides, candidates: tuple[CardModel, ...],
                  mrz: MrzEvidence | None) -> SideEvidence:
    """The back likewise."""
    places = back_places(aligned.fit(Side.BACK, candidates), back.codes, mrz)
    return back.with_regions(aligned.registered(back.evidence, candidates), places)


def with_scale(mrz: MrzEvidence | None, back: FoundSide) -> MrzEvidence | None:
    """The MRZ with what the photo really holds of each of its letters."""
    if mrz is None or mrz.box_mm is None:
        return mrz
    width = mrz.box_mm[2] - mrz.box_mm[0]
    return replace(mrz, px_per_letter=width / TD1_LENGTH * back.evidence.quality.px_per_mm)
