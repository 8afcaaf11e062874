"""examine(): the job. From the bytes of four pictures to all that can be seen in them. Pure: no clock, no store, no policy."""

from __future__ import annotations

from dataclasses import replace

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture
from pipeline.domain.card_model import Side
from pipeline.domain.evidence import CardEvidence, Evidence
from pipeline.domain.large_qr import Closed, LargeQrDecoder
from pipeline.domain.readings import all_readings
from pipeline.domain.template import Templates
from pipeline.networks.api import Networks
from pipeline.sides import CARD_SIDE, back_evidence, find_sides, front_evidence, with_scale
from pipeline.stages.align_sides import align_sides
from pipeline.stages.decode import JpegDecoder, open_picture
from pipeline.stages.fingerprint import Seen, fingerprints
from pipeline.stages.identify_model import identify_model
from pipeline.stages.match_face import match_faces
from pipeline.stages.places import codes_evidence, opened_by
from pipeline.stages.presentation import selfie_grid
from pipeline.stages.read_by_place import with_values_by_place
from pipeline.stages.read_front import read_front
from pipeline.stages.read_mrz import read_mrz
from pipeline.stages.signature import judge_ink
from pipeline.stages.signature_ink import find_ink
from pipeline.stages.surroundings import surroundings
from pipeline.stopwatch import Stopwatch

SELFIE_SIDE = 1000
"""Long side of a decoded selfie, at least: a face that fills it has over 100 pixels between the eyes, and the recogniser looks
at 40 of them."""

CLOSED = Closed()


def examine(capture: Capture, networks: Networks, calibration: Calibration, templates: Templates = (),
            decoder: LargeQrDecoder = CLOSED, jpeg: JpegDecoder | None = None) -> Evidence:
    """All that can be seen in one support. A picture that cannot be used is evidence too: nothing here raises for it.

    templates: what the sides are registered to (`models.registry.load_templates`); without any, nothing is.
    decoder: the authority's, where there is one, that opens the large QRs. jpeg: what decodes photos; None: the CPU.
    """
    watch = Stopwatch()
    photos, front, back = find_sides(capture, networks, calibration, watch, jpeg)

    with watch.stage("text"):
        text = read_front(front.grey, networks, calibration) if front else None
    with watch.stage("mrz"):
        mrz = with_scale(read_mrz(back.grey, networks, calibration), back) if back else None
    with watch.stage("decode"):
        selfie, drawing = open_picture(capture.selfie, SELFIE_SIDE, jpeg), open_picture(capture.signature, CARD_SIDE)
    with watch.stage("faces"):
        faces = match_faces(front.image if front else None, front.evidence.quality.px_per_mm if front else 0.0,
                            selfie, networks, calibration)
    with watch.stage("presentation"):
        grid = selfie_grid(selfie.view) if selfie else None
    with watch.stage("signature"):
        ink = find_ink(drawing.view if drawing else None, capture.info.strokes, calibration)
        signature = judge_ink(ink, calibration, len(capture.info.strokes) or None)
    with watch.stage("align"):
        aligned = align_sides(photos, text, faces.evidence, back.codes if back else None, mrz, templates)
    with watch.stage("model"):
        opened = opened_by(decoder, back.codes) if back else None
        codes = codes_evidence(back.codes, back.quad, back.photo.scale, opened=opened is not None) if back else ()
        looks = {side.evidence.side: side.look for side in (front, back) if side}
        model = identify_model(text, mrz, codes, calibration, has_back=back is not None, looks=looks,
                               layouts=aligned.layouts)
        if text:  # after the model: what the template helped to read is no witness of it
            text = with_values_by_place(text, aligned.fit(Side.FRONT, model.candidates))
        readings = all_readings(text.readings if text else {}, mrz, codes, opened)
    with watch.stage("fingerprints"):
        prints = fingerprints(capture, Seen(front.grey if front else None, back.grey if back else None, ink),
                              faces.selfie, faces.embedding, readings,
                              surroundings(front.photo.view, front.quad) if front else None)

    with watch.stage("quality"):
        seen_front = front_evidence(front, aligned, model.candidates, text, faces.evidence) if front else None
        seen_back = back_evidence(back, aligned, model.candidates, mrz) if back else None

    card = CardEvidence(model.model, model.candidates, model.confidence, model.witnesses, seen_front, seen_back, photos,
                        aligned.evidence)
    face = replace(faces.evidence, selfie_readable=selfie is not None, selfie_screen=grid)
    return Evidence(card, codes, mrz, readings, face, signature, prints, watch.ms, networks.digests())
