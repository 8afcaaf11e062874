"""examine(): the job. From the bytes of four pictures to all that can be seen in them. Pure: no clock, no store, no policy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture, Part
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import (
    CardEvidence,
    Evidence,
    FaceEvidence,
    MrzEvidence,
    PhotoEvidence,
    SideEvidence,
    Sighting,
)
from pipeline.domain.readings import all_readings
from pipeline.domain.template import Templates
from pipeline.errors import BadPicture
from pipeline.networks.api import Image, Networks
from pipeline.networks.card_model import CardLook, look_at_card
from pipeline.stages.align_sides import AlignedSides, align_sides
from pipeline.stages.decode import Photo, decode
from pipeline.stages.fingerprint import fingerprints
from pipeline.stages.geometry import CARD_MM, Quad, rotate_corners
from pipeline.stages.identify_model import identify_model
from pipeline.stages.locate import Located, locate, locate_inside
from pipeline.stages.match_face import match_faces
from pipeline.stages.needed_regions import back_places, front_places
from pipeline.stages.places import as_corners, codes_evidence
from pipeline.stages.presentation import measure_presentation
from pipeline.stages.quality import measure_quality, photo_light
from pipeline.stages.read_codes import CardCode
from pipeline.stages.read_front import FrontText, read_front
from pipeline.stages.read_mrz import TD1_LENGTH, read_mrz
from pipeline.stages.rectify import px_per_mm, rectify
from pipeline.stages.region_quality import Place, measure_regions
from pipeline.stages.signature import examine_signature
from pipeline.stages.survey_side import Survey, survey_by_look, survey_side
from pipeline.stages.survey_text import survey_text

CARD_SIDE, SELFIE_SIDE = 2000, 1000
"""Long side of a decoded picture, at least: a card's print needs 2,000 (design, decision 2); a face that fills a selfie has
over 100 pixels between the eyes at 1,000, and the recogniser looks at 40 of them."""


@dataclass(frozen=True, slots=True)
class FoundSide:
    """One side of the card, rectified and upright, and the photo it was found in. `quad` in pixels of the photo's view."""

    evidence: SideEvidence
    photo: Photo
    quad: Quad
    image: Image
    codes: tuple[CardCode, ...]
    look: CardLook

    def with_regions(self, evidence: SideEvidence, places: Mapping[str, Place]) -> SideEvidence:
        """The evidence with the capture's quality over the places that matter."""
        return replace(evidence, quality=replace(evidence.quality, regions=measure_regions(self.image, places)))


def examine(capture: Capture, networks: Networks, calibration: Calibration, templates: Templates = ()) -> Evidence:
    """All that can be seen in one support. A picture that cannot be used is evidence too: nothing here raises for it.

    templates: what the sides are registered to (`models.registry.load_templates`); without any, nothing is.
    """
    watch = Stopwatch()
    photos, front, back = find_sides(capture, networks, calibration, watch)

    with watch.stage("text"):
        text = read_front(front.image, networks, calibration) if front else None
    with watch.stage("mrz"):
        mrz = with_scale(read_mrz(back.image, networks, calibration), back) if back else None
    with watch.stage("decode"):
        selfie, drawing = open_picture(capture.selfie, SELFIE_SIDE), open_picture(capture.signature)
    with watch.stage("faces"):
        faces = match_faces(front.image if front else None, front.evidence.quality.px_per_mm if front else 0.0,
                            selfie, networks, calibration)
    with watch.stage("signature"):
        signature = examine_signature(drawing.view if drawing else None, capture.info.strokes, calibration)
    with watch.stage("align"):
        aligned = align_sides(photos, text, faces.evidence, back.codes if back else None, mrz, templates)
    with watch.stage("model"):
        codes = codes_evidence(back.codes, back.quad, back.photo.scale) if back else ()
        readings = all_readings(text.readings if text else {}, mrz, codes)
        looks = {side.evidence.side: side.look for side in (front, back) if side}
        model = identify_model(text, mrz, codes, calibration, has_back=back is not None, looks=looks)
    with watch.stage("fingerprints"):
        prints = fingerprints(capture, front.image if front else None, back.image if back else None,
                              selfie.view if selfie else None, drawing.view if drawing else None, faces.embedding, readings)

    with watch.stage("quality"):
        seen_front = front_evidence(front, aligned, model.candidates, text, faces.evidence) if front else None
        seen_back = back_evidence(back, aligned, model.candidates, mrz) if back else None

    card = CardEvidence(model.model, model.candidates, model.confidence, model.witnesses, seen_front, seen_back, photos,
                        aligned.evidence)
    face = replace(faces.evidence, selfie_readable=selfie is not None)
    return Evidence(card, codes, mrz, readings, face, signature, prints, watch.ms, networks.digests())


def find_sides(capture: Capture, networks: Networks, calibration: Calibration,
               watch: Stopwatch) -> tuple[Mapping[Side, PhotoEvidence], FoundSide | None, FoundSide | None]:
    """What both card photos show, whichever way round they were sent; a side seen twice is taken from the photo named for it."""
    photos: dict[Side, PhotoEvidence] = {}
    found: dict[Side, FoundSide] = {}
    for capture_side in (Side.FRONT, Side.BACK):
        photos[capture_side], side = look(capture, capture_side, networks, calibration, watch)
        if side is not None and (side.evidence.side not in found or side.evidence.side is capture_side):
            found[side.evidence.side] = side
    return photos, found.get(Side.FRONT), found.get(Side.BACK)


def look(capture: Capture, capture_side: Side, networks: Networks, calibration: Calibration,
         watch: Stopwatch) -> tuple[PhotoEvidence, FoundSide | None]:
    """One card photo: decode, locate, rectify, and tell which side lies there and which way is up."""
    with watch.stage("decode"):
        photo = open_picture(capture.part(Part(capture_side)))
    if photo is None:
        return PhotoEvidence(Sighting.UNREADABLE, None), None
    with watch.stage("locate"):
        located = locate(photo.view, networks, calibration)
    surveyed = which_card(photo, located, networks, calibration, capture_side, watch)
    if surveyed is None:
        return PhotoEvidence(located.sighting, None, light=photo_light(photo.view)), None
    quad, survey = surveyed
    if survey.side is None:
        with watch.stage("side_and_codes"):
            survey = survey_text(survey.upright, networks, calibration) or survey
        quad = rotate_corners(quad, 2) if survey.half_turn else quad
    with watch.stage("quality"):
        quality = measure_quality(survey.upright, px_per_mm(quad, photo.scale))
        if survey.side is None:
            regions = measure_regions(survey.upright, {"card": Place((0.0, 0.0, *CARD_MM), read=False)})
            # over a whole card cover says nothing: a portrait's skin is as plain as a finger's
            quality = replace(quality, regions=tuple(replace(region, covered=None) for region in regions))
    seen = PhotoEvidence(Sighting.FOUND, survey.side, survey.confidence, quality)
    if survey.side is None:
        return seen, None
    with watch.stage("card_look"):
        card_look = look_at_card(survey.upright, networks)
    with watch.stage("presentation"):
        presentation = measure_presentation(survey.upright, photo.view, quad, calibration)
    evidence = SideEvidence(survey.side, capture_side, as_corners(quad * photo.scale), located.score, None, quality, presentation)
    return seen, FoundSide(evidence, photo, quad, survey.upright, survey.codes, card_look)


def which_card(photo: Photo, located: Located, networks: Networks, calibration: Calibration, hint: Side,
               watch: Stopwatch) -> tuple[Quad, Survey] | None:
    """The credential among what lies in the picture, and what a look at it tells: a card of another kind beside it, a sheet
    under it or a phone is no reason to ask for the photo again. None where nothing whole was located, or where several things
    show a side of a credential. Where nothing shows one, what looks like one; else what was located first.
    """
    surveyed: list[tuple[Quad, Survey]] = []

    def survey(quad: Quad) -> bool:
        with watch.stage("rectify"):
            lying = rectify(photo.view, quad)
        with watch.stage("side_and_codes"):
            seen = survey_side(lying, networks, calibration, hint)
        surveyed.append((rotate_corners(quad, 2) if seen.half_turn else quad, seen))
        return seen.side is not None

    whole = [located.guess] if located.guess is not None and located.sighting is not Sighting.CUT else []
    shown = 0
    for quad in (*whole, *located.others):
        shown += survey(quad)
        if shown and located.sighting is not Sighting.SEVERAL:
            return surveyed[-1]
    if not shown and located.guess is not None:
        with watch.stage("locate"):
            inner = locate_inside(photo.view, located.guess, networks, calibration)
        if inner is not None and survey(inner):
            return surveyed[-1]
    if located.sighting is Sighting.FOUND:
        with watch.stage("side_and_codes"):
            looked = ((quad, survey_by_look(lying.upright, networks, calibration)) for quad, lying in surveyed)
            told = next(((quad, seen) for quad, seen in looked if seen.side is not None), None)
        if told is not None:
            return rotate_corners(told[0], 2) if told[1].half_turn else told[0], told[1]
        return surveyed[0]
    return next(one for one in surveyed if one[1].side is not None) if shown == 1 else None


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


def open_picture(data: bytes | None, long_side: int = CARD_SIDE) -> Photo | None:
    """Decoded to `long_side` pixels or more; None where the part is missing or is no picture: `decide` asks for it again."""
    if data is None:
        return None
    try:
        return decode(data, long_side)
    except BadPicture:
        return None


class Stopwatch:
    """Adds up wall time by stage, in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] = self.ms.get(name, 0.0) + (time.perf_counter() - start) * 1000
