"""Checks of the card as a thing: is it there, whole, legible, which model is it, do its two sides belong together."""

from __future__ import annotations

from pipeline.checks.build import failed, not_executed, passed, reading, uncertain
from pipeline.checks.readings import count_agreements
from pipeline.domain.calibration import Calibration
from pipeline.domain.card_model import Side
from pipeline.domain.context import Context
from pipeline.domain.evidence import (
    CodeRole,
    CodeStatus,
    Evidence,
    RegionQuality,
    SideEvidence,
    SideQuality,
    SidesFault,
    Sighting,
)
from pipeline.domain.verdict import Check, CheckName, CheckOutcome, Reason, Subject

SUBJECT = {Side.FRONT: Subject.FRONT, Side.BACK: Subject.BACK}
_SIGHTING_CODES = {Sighting.NONE: "no_card", Sighting.CUT: "cut", Sighting.SEVERAL: "several_cards"}
FRONT_NEEDS = ("paternal_surname", "given_names", "elector_key", "curp")
"""Fields that every accepted model prints; a front that shows at least half of them counts as legible."""

SURE_AGREEMENTS = 4
"""Of the values that both sides print (six at most), as many agreeing outweigh two layouts that do not: registration reads
labels and codes, which glare can take, and its templates are inferred."""
FULL = ("photo", "mrz", "small_qr", "card")
"""Regions that are printed all over; of the others, single lines, a short value leaves the larger part blank."""


def door(evidence: Evidence, _: Context) -> Check:
    """Each photo opens. What does not is asked for again."""
    for side, photo in evidence.card.photos.items():
        if photo.sighting is Sighting.UNREADABLE:
            return failed(CheckName.DOOR, f"{side}.unreadable_file", SUBJECT[side], "missing, or does not decode")
    return passed(CheckName.DOOR)


def front_located(evidence: Evidence, context: Context) -> Check:
    """The photos show the card's front, whole and alone."""
    return _located(CheckName.FRONT_LOCATED, Side.FRONT, evidence, context)


def back_located(evidence: Evidence, context: Context) -> Check:
    """The photos show the card's back, whole and alone."""
    return _located(CheckName.BACK_LOCATED, Side.BACK, evidence, context)


def _located(name: CheckName, side: Side, evidence: Evidence, context: Context) -> Check:
    """Found on either photo is found (photos may be swapped). Else the photo left over says what is wrong."""
    card = evidence.card
    found = card.front if side is Side.FRONT else card.back
    if found is not None:
        return passed(name, found.locator_score)
    other = card.back if side is Side.FRONT else card.front
    blamed = side if other is None or other.capture is not side else _opposite(side)
    photo = card.photos[blamed]
    if photo.sighting is Sighting.UNREADABLE:
        return not_executed(name)
    if photo.light is not None and photo.light < context.calibration["quality.light_min"]:
        code = "dark"
    elif photo.nothing:
        code = "not_a_credential"
    elif photo.blur is not None and photo.blur > context.calibration["quality.photo_blur_max"]:
        code = "blurred"
    elif photo.sighting in _SIGHTING_CODES:
        code = _SIGHTING_CODES[photo.sighting]
    else:
        fault = quality_fault(photo.quality, context.calibration)
        told = photo.shows is not None and fault != "blurred"  # which side it is, mush cannot say
        code = "wrong_side" if told else fault or "not_a_credential"
    return failed(name, f"{side}.{code}", SUBJECT[side], f"the {blamed} photo: {photo.sighting}, shows {photo.shows}")


def _opposite(side: Side) -> Side:
    return Side.BACK if side is Side.FRONT else Side.FRONT


def quality_fault(quality: SideQuality | None, calibration: Calibration) -> str | None:
    """What is wrong with a picture of a card on which something needed was not read, the likeliest cause first; None where
    nothing is. Over the regions that were not read, and over the card as a whole: a blur of it, or a distance, leaves print as
    plain as a finger does, and so comes before cover."""
    if quality is None:
        return None
    if quality.brightness < calibration["quality.brightness_min"]:
        return "dark"
    local = local_fault(quality, calibration)
    if local == "glare" or quality.glare > calibration["quality.glare_max"]:
        return "glare"
    if quality.px_per_mm < calibration["quality.px_per_mm_min"]:
        return "too_far"
    if quality.sharpness < calibration["quality.sharpness_min"]:
        return "blurred"
    soft = _mush(quality, calibration) or any(_soft(region, calibration) for region in quality.regions)
    return local or ("blurred" if soft else None)


def _mush(quality: SideQuality, calibration: Calibration) -> bool:
    """Whether nothing fine shows anywhere that something was not read: noise on a wide blur has crisp edges of its own."""
    details = [region.detail for region in quality.regions if region.detail is not None]
    return bool(details) and max(details) < calibration["quality.detail_min"]


def _soft(region: RegionQuality, calibration: Calibration) -> bool:
    """Whether what was not read there lies in a blur: the lens's, or that of a phone that moved."""
    if region.read:
        return False
    soft = region.sharpness is not None and region.sharpness < calibration["quality.region_sharpness_min"]
    return soft or _streaked(region, calibration)


def _streaked(region: RegionQuality, calibration: Calibration) -> bool:
    return region.streaks is not None and region.streaks > calibration["quality.streaks_max"]


def local_fault(quality: SideQuality, calibration: Calibration) -> str | None:
    """What hides something needed that was not read: a reflection, darkness, or a thing that lies on the card."""
    glare, covered, line = (calibration[f"quality.{name}"] for name in ("region_glare_max", "covered_max", "line_hidden_max"))
    unread = [(region, line if region.name not in FULL else 0.0) for region in quality.regions if not region.read]
    if any(region.glare > max(glare, least) for region, least in unread):
        return "glare"
    # print that a moving phone smeared is as plain as a finger
    still = [(region.covered or 0.0, least) for region, least in unread if not _streaked(region, calibration)]
    if any(share > max(covered, least) for share, least in still):
        return "covered"
    return "dark" if any(region.brightness < calibration["quality.region_brightness_min"] for region, _ in unread) else None


def side_quality(evidence: Evidence, context: Context) -> Check:
    """Judged by what was needed and not read: a blurred background or a soft but legible card is no fault.

    A side counts as legible with some of its values unread; but what hides one of them is asked to be taken away. Both sides
    are judged, so that both are taken again at once.
    """
    name, card = CheckName.SIDE_QUALITY, evidence.card
    if card.front is None or card.back is None:
        return not_executed(name)
    score = min(side.quality.sharpness for side in (card.front, card.back))
    threshold = context.calibration["quality.sharpness_min"]
    faults, illegible = [], []
    for found, legible in ((card.front, front_legible(evidence)), (card.back, back_legible(evidence))):
        fault = (local_fault if legible else quality_fault)(found.quality, context.calibration)
        if fault is not None:
            faults.append(Reason(f"{found.side}.{fault}", SUBJECT[found.side], _unread(found)))
        elif not legible:
            illegible.append(found)
    if faults:
        return Check(name, CheckOutcome.FAILED, score, threshold, tuple(faults))
    for found in illegible:
        return uncertain(name, f"{found.side}.unreadable", SUBJECT[found.side], "not read, and no fault of the picture measured")
    return passed(name, score, threshold)


def _unread(side: SideEvidence) -> str:
    regions = [region.name for region in side.quality.regions if not region.read]
    return f"not read: {', '.join(regions) or 'what the side is needed for'}"


def front_legible(evidence: Evidence) -> bool:
    read = sum(reading(evidence, field, "front") is not None for field in FRONT_NEEDS)
    return evidence.face.portrait is not None and read * 2 >= len(FRONT_NEEDS)


def back_legible(evidence: Evidence) -> bool:
    """MRZ with right check digits, and the small QR where the model has one. A model before D has neither."""
    model = evidence.card.model
    if model is not None and not model.has_mrz:
        return True
    if evidence.mrz is None or not evidence.mrz.valid:
        return False
    needs_qr = model is None or model.has_qr_back
    return not needs_qr or any(code.role is CodeRole.SMALL and code.status is not CodeStatus.DETECTED for code in evidence.codes)


def model_accepted(evidence: Evidence, context: Context) -> Check:
    """Refused by name where the reading is confident; a doubtful one goes to a person."""
    name, card, support = CheckName.MODEL_ACCEPTED, evidence.card, Subject.SUPPORT
    if card.front is None and card.back is None:
        return not_executed(name)
    threshold = context.calibration["checks.model_confident"]
    if card.model is None:
        return uncertain(name, "card.model_unknown", support, "no witness names a model", card.confidence, threshold)
    if card.confidence < threshold:
        candidates = "".join(card.candidates)
        return uncertain(name, "card.model_uncertain", support, f"candidates {candidates}", card.confidence, threshold)
    if not any(model.has_qr_back for model in card.candidates):
        return failed(name, "card.model_without_qr", support, f"model {card.model}", card.confidence, threshold)
    if not set(card.candidates) & context.policy.accepted_models:
        return failed(name, "card.model_not_accepted", support, f"model {card.model}", card.confidence, threshold)
    return passed(name, card.confidence, threshold)


def model_as_chosen(evidence: Evidence, context: Context) -> Check:
    """What the citizen chose against what lies there. An unsure machine does not contradict a citizen."""
    name, card, chosen = CheckName.MODEL_AS_CHOSEN, evidence.card, context.info.chosen_model
    threshold = context.calibration["checks.model_confident"]
    if chosen is None or card.model is None:
        return not_executed(name)
    if chosen in card.candidates:
        return passed(name, card.confidence, threshold)
    say = uncertain if card.confidence < threshold else failed
    detail = f"chosen {chosen}, seen {card.model}"
    return say(name, "card.model_not_as_chosen", Subject.SUPPORT, detail, card.confidence, threshold)


def same_card(evidence: Evidence, context: Context) -> Check:
    """Front and back of one physical card, by what both print. One difference is a doubt; two are another card."""
    name, card = CheckName.SAME_CARD, evidence.card
    if card.front is None or card.back is None:
        return not_executed(name)
    if card.model is not None and not card.model.has_mrz:
        return not_executed(name)
    agree, differ, _ = count_agreements(evidence, context)
    score = agree / (agree + differ) if agree + differ else None
    if differ >= 2 or (differ and not agree):
        return failed(name, "card.sides_differ", Subject.SUPPORT, f"{differ} of {agree + differ} shared values differ", score)
    if agree < 2:
        return uncertain(name, "card.sides_unconfirmed", Subject.SUPPORT, f"only {agree} shared values could be compared", score)
    if agree < SURE_AGREEMENTS and card.alignment is not None and SidesFault.TWO_MODELS in card.alignment.faults:
        front, back = ("".join(models) for models in (card.alignment.front_models, card.alignment.back_models))
        detail = f"{agree} shared values agree, but the front is laid out as {front}, the back as {back}"
        return uncertain(name, "card.sides_unconfirmed", Subject.SUPPORT, detail, score)
    return passed(name, score)
