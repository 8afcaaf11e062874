"""Checks of what is printed and coded: MRZ, QR, CURP, clave de elector, vigencia, and each against the others."""

from __future__ import annotations

from pipeline.checks.build import Agreement, compare, failed, not_executed, passed, reading, uncertain
from pipeline.domain.card_model import CardModel
from pipeline.domain.context import Context
from pipeline.domain.curp import Curp
from pipeline.domain.elector_key import ElectorKey
from pipeline.domain.evidence import CodeRole, CodeStatus, Evidence, FieldReading
from pipeline.domain.identifiers import Malformed, plain
from pipeline.domain.mrz import mrz_name
from pipeline.domain.verdict import Check, CheckName, Subject

NAMES = ("paternal_surname", "maternal_surname", "given_names")
SHARED = ("birth_date", "sex", "expiry_year", "section", "issue_number", "names")
"""What front and MRZ both carry, as far as the model prints it."""


def small_qr(evidence: Evidence, _: Context) -> Check:
    """Decoded and of INE's grammar. A model without QR has none to read."""
    name = CheckName.SMALL_QR
    if evidence.card.back is None or _no_qr(evidence):
        return not_executed(name)
    codes = [code for code in evidence.codes if code.role in (CodeRole.SMALL, CodeRole.FOREIGN)]
    if any(code.status is CodeStatus.CONSISTENT for code in codes):
        return passed(name)
    if any(code.role is CodeRole.FOREIGN and code.status is CodeStatus.DECODED for code in codes):
        return failed(name, "qr.foreign", Subject.BACK, "a QR decodes to something else than INE's grammar")
    return uncertain(name, "qr.unreadable", Subject.BACK, "no small QR decoded")


def large_qrs(evidence: Evidence, context: Context) -> Check:
    """G and later: both decode with INE's length and header. Where an authority's decoder opened them, what they hold agrees with
    the print; else they stay closed: consistent, never authentic."""
    name = CheckName.LARGE_QRS
    if evidence.card.back is None or not evidence.card.candidates or evidence.card.candidates[0].large_qrs == 0:
        return not_executed(name)
    roles = {code.role for code in evidence.codes if code.status is CodeStatus.CONSISTENT}
    if {CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT} <= roles:
        return _as_opened(evidence, context) or passed(name)
    return uncertain(name, "qr.unreadable", Subject.BACK, f"decoded: {', '.join(sorted(roles))}")


def _as_opened(evidence: Evidence, context: Context) -> Check | None:
    """What the large QRs hold against the front and the MRZ; None where they stayed closed or nothing speaks against them."""
    pairs = [(field, "front") for field in evidence.readings if field != "address"]  # the front breaks it into lines
    pairs += [(field, "mrz") for field in evidence.readings if field not in NAMES]  # the third line cuts names off
    found = [compare(reading(evidence, field, "large_qr"), reading(evidence, field, source), context.calibration,
                     lambda a, b: plain(a) == plain(b)) for field, source in pairs]
    if Agreement.DIFFER in found:
        return failed(CheckName.LARGE_QRS, "qr.large_differs", Subject.SUPPORT,
                      f"{found.count(Agreement.DIFFER)} printed values differ from what the large QRs hold")
    if Agreement.DOUBTFUL in found:
        return uncertain(CheckName.LARGE_QRS, "qr.large_differs", Subject.SUPPORT, "values differ, a reading is doubtful")
    return None


def pdf417(evidence: Evidence, _: Context) -> Check:
    """E and F: it decodes. What it holds is opaque."""
    name = CheckName.PDF417
    if evidence.card.back is None or not evidence.card.candidates or not evidence.card.candidates[0].has_pdf417:
        return not_executed(name)
    if any(code.role is CodeRole.PDF417 and code.status is not CodeStatus.DETECTED for code in evidence.codes):
        return passed(name)
    return uncertain(name, "back.unreadable", Subject.BACK, "no PDF417 decoded")


def mrz_valid(evidence: Evidence, context: Context) -> Check:
    """All four check digits hold. A sharp reading whose digits do not hold is a contradiction, a doubtful one is not."""
    name, model, mrz = CheckName.MRZ_VALID, evidence.card.model, evidence.mrz
    if evidence.card.back is None or (model is not None and not model.has_mrz):
        return not_executed(name)
    threshold = context.calibration["checks.mrz_confident"]
    if mrz is None:
        return uncertain(name, "mrz.unreadable", Subject.BACK, "no machine-readable lines found", None, threshold)
    if mrz.valid:
        return passed(name, mrz.confidence, threshold)
    if mrz.confidence >= threshold:
        return failed(name, "mrz.invalid", Subject.BACK, "check digits do not hold", mrz.confidence, threshold)
    return uncertain(name, "mrz.unreadable", Subject.BACK, "check digits do not hold, and the reading is doubtful",
                     mrz.confidence, threshold)


def qr_mrz(evidence: Evidence, context: Context) -> Check:
    """CIC, identificador, sección and emisión in the small QR against the MRZ."""
    name = CheckName.QR_MRZ
    fields = ("cic", "citizen_id", "section", "issue_number")
    pairs = [(reading(evidence, field, "small_qr"), reading(evidence, field, "mrz")) for field in fields]
    found = [compare(coded, printed, context.calibration) for coded, printed in pairs]
    if Agreement.DIFFER in found:
        return failed(name, "qr.mrz_differs", Subject.BACK, f"{found.count(Agreement.DIFFER)} of {len(fields)} values differ")
    if Agreement.DOUBTFUL in found:
        return uncertain(name, "qr.mrz_differs", Subject.BACK, "values differ, a reading is doubtful")
    return passed(name, 1.0) if Agreement.AGREE in found else not_executed(name)


def mrz_front(evidence: Evidence, context: Context) -> Check:
    """Birth, sex, vigencia, sección, emisión and names on the front against the MRZ."""
    name = CheckName.MRZ_FRONT
    if evidence.mrz is None or evidence.card.front is None:
        return not_executed(name)
    agree, differ, doubtful = count_agreements(evidence, context)
    total = agree + differ + doubtful
    score = agree / total if total else None
    if differ:
        return failed(name, "mrz.front_differs", Subject.SUPPORT, f"{differ} of {total} shared values differ", score)
    if doubtful or agree < 2:
        return uncertain(name, "mrz.front_unconfirmed", Subject.SUPPORT, f"{agree} of {total} shared values agree", score)
    return passed(name, score)


def count_agreements(evidence: Evidence, context: Context) -> tuple[int, int, int]:
    """How many of the values that front and MRZ share agree, differ, and are doubtful."""
    found = [_shared(evidence, context, field) for field in SHARED]
    return found.count(Agreement.AGREE), found.count(Agreement.DIFFER), found.count(Agreement.DOUBTFUL)


def _shared(evidence: Evidence, context: Context, field: str) -> Agreement:
    if field == "names":
        return _names_agree(evidence, context)
    return compare(reading(evidence, field, "front"), reading(evidence, field, "mrz"), context.calibration)


def _names_agree(evidence: Evidence, context: Context) -> Agreement:
    """Names as the third line writes them, as far as 30 characters go.

    A few letters off is a doubt of the reading (no check digit protects names); most letters off is another name, where every
    line of it was read with confidence: what light or a finger took from a line is no other name.
    """
    front = [reading(evidence, field, "front") for field in NAMES]
    mrz = [reading(evidence, field, "mrz") for field in NAMES]
    if front[0] is None or front[2] is None or mrz[0] is None:
        return Agreement.MISSING
    printed, coded = _line(front), _line(mrz)
    if len(coded) >= 29:
        printed = printed[: len(coded)]
    distance = edit_distance(printed.replace("X", "N"), coded.replace("X", "N"))
    if distance <= context.calibration["checks.name_slips"]:
        return Agreement.AGREE
    share = distance / max(len(printed), len(coded))
    sure = min(one.confidence for one in front if one is not None) >= context.calibration["checks.reading_confident"]
    return Agreement.DIFFER if sure and share > context.calibration["checks.name_other_share"] else Agreement.DOUBTFUL


def _line(names: list[FieldReading | None]) -> str:
    paternal, maternal, given = (mrz_name(one.value) if one else "" for one in names)
    return f"{paternal}<{maternal}<<{given}"


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def curp(evidence: Evidence, context: Context) -> Check:
    """Shape, date, state and check digit; then against birth date and sex. Names are a hint and decide nothing."""
    name, found = CheckName.CURP, reading(evidence, "curp", "front")
    if found is None:
        return not_executed(name)
    threshold = context.calibration["checks.reading_confident"]
    try:
        parsed = Curp.parse(found.value)
    except Malformed as error:
        if found.confidence >= context.calibration["checks.curp_confident"]:
            return failed(name, "curp.inconsistent", Subject.FRONT, str(error), found.confidence, threshold)
        return uncertain(name, "curp.unreadable", Subject.FRONT, str(error), found.confidence, threshold)
    born = FieldReading(parsed.birth.isoformat(), found.confidence, "front")
    sex = FieldReading(parsed.sex, found.confidence, "front")
    return _against_person(name, "curp", evidence, context, born, sex, found.confidence)


def elector_key(evidence: Evidence, context: Context) -> Check:
    """Shape; then against birth date and sex. The rule of its last digits is not public."""
    name, found = CheckName.ELECTOR_KEY, reading(evidence, "elector_key", "front")
    if found is None:
        return not_executed(name)
    threshold = context.calibration["checks.reading_confident"]
    try:
        parsed = ElectorKey.parse(found.value)
    except Malformed as error:
        return uncertain(name, "elector_key.unreadable", Subject.FRONT, str(error), found.confidence, threshold)
    born = FieldReading(parsed.birth_yymmdd, found.confidence, "front")
    sex = FieldReading(parsed.sex, found.confidence, "front")
    return _against_person(name, "elector_key", evidence, context, born, sex, found.confidence)


def _against_person(name: CheckName, code: str, evidence: Evidence, context: Context, born: FieldReading, sex: FieldReading,
                    score: float) -> Check:
    """An identifier's birth date and sex against those read elsewhere (MRZ first, then the front)."""
    def same_day(a: str, b: str) -> bool:
        return a.replace("-", "")[-6:] == b.replace("-", "")[-6:]

    found = [compare(born, reading(evidence, "birth_date", source), context.calibration, same_day) for source in ("mrz", "front")]
    found += [compare(sex, reading(evidence, "sex", source), context.calibration) for source in ("mrz", "front")]
    threshold = context.calibration["checks.reading_confident"]
    if Agreement.DIFFER in found or Agreement.DOUBTFUL in found:
        say = failed if Agreement.DIFFER in found else uncertain
        detail = "birth date or sex differ from another source"
        return say(name, f"{code}.inconsistent", Subject.SUPPORT, detail, score, threshold)
    return passed(name, score, threshold)


def expiry(evidence: Evidence, context: Context) -> Check:
    """VIGENCIA against the process's day. Refused only by a confident reading that no other contradicts."""
    name = CheckName.EXPIRY
    readings = [one for one in (reading(evidence, "expiry_year", "mrz"), reading(evidence, "expiry_year", "front")) if one]
    if not readings:
        located = evidence.card.front is not None and evidence.card.back is not None
        return uncertain(name, "support.expiry_doubtful", Subject.SUPPORT, "no source read") if located else not_executed(name)
    best = max(readings, key=lambda one: one.confidence)
    threshold = context.calibration["checks.reading_confident"]
    if len({one.value for one in readings}) > 1 or best.confidence < threshold:
        detail = "sources differ or are doubtful"
        return uncertain(name, "support.expiry_doubtful", Subject.SUPPORT, detail, best.confidence, threshold)
    last_day = context.policy.valid_until(int(best.value), _state(evidence))
    if last_day < context.as_of or _issued_too_early(evidence, context):
        return failed(name, "support.expired", Subject.SUPPORT, f"valid until {last_day}, judged on {context.as_of}",
                      best.confidence, threshold)
    return passed(name, best.confidence, threshold)


def _issued_too_early(evidence: Evidence, context: Context) -> bool:
    """E and F of before 2016 are out whatever they print."""
    issued = reading(evidence, "issue_year", "front")
    if issued is None or not set(evidence.card.candidates) <= {CardModel.E, CardModel.F} or not evidence.card.candidates:
        return False
    confident = issued.confidence >= context.calibration["checks.reading_confident"]
    return confident and int(issued.value) < context.policy.e_f_issued_from


def demarcation(evidence: Evidence, context: Context) -> Check:
    """Entidad and sección against the process's. A process of the whole country takes every card."""
    name, policy = CheckName.DEMARCATION, context.policy
    if policy.states is None and policy.sections is None:
        return passed(name)
    threshold = context.calibration["checks.reading_confident"]
    for field, allowed in (("state", policy.states), ("section", policy.sections)):
        if allowed is None:
            continue
        found = max(evidence.readings.get(field, ()), key=lambda one: one.confidence, default=None)
        if found is None or found.confidence < threshold:
            return uncertain(name, "support.demarcation_doubtful", Subject.SUPPORT, f"{field} not read with certainty")
        if found.value not in allowed:
            detail = f"{field} outside the process's"
            return failed(name, "support.outside_demarcation", Subject.SUPPORT, detail, found.confidence, threshold)
    return passed(name)


def _state(evidence: Evidence) -> str | None:
    found = reading(evidence, "state", "front")
    return found.value if found else None


def _no_qr(evidence: Evidence) -> bool:
    return bool(evidence.card.candidates) and not any(model.has_qr_back for model in evidence.card.candidates)
