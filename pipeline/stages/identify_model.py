"""Which model the card is: every witness with the models it leaves possible, weighed; disagreement stays visible. Pure.

What tells the models apart is public knowledge of unequal certainty; each witness weighs what its source is worth.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.domain.calibration import Calibration
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import CodeEvidence, CodeRole, CodeStatus, FieldReading, MrzEvidence, Witness
from pipeline.networks.card_model import CardLook

A, B, C, D, E, F, G, H, I, J = CardModel  # noqa: E741 - INE's letters
OLD, NEWEST = (A, B, C), (I, J)

PRIOR: Mapping[CardModel, float] = {A: 0.01, B: 0.01, C: 0.03, D: 0.03, E: 0.25, F: 0.03, G: 0.58, H: 0.06, I: 0.15, J: 0.02}
"""Rough shares of cards in hand at the end of 2026 (G since 2019, E of 2016-2019 still valid). They only break ties between
models that no witness tells apart; I and J enter only where something speaks for them, with their share among such cards."""
HOME_SHARE = 0.2
"""The domestic model's share of each pair (E F, G H, I J) where the address ends abroad."""

_COUNTRY = re.compile(r"\b(E\.?U\.?A\.?|U\.?S\.?A\.?|ESTADOS UNIDOS|CANADA|ESPANA|ALEMANIA|FRANCIA|REINO UNIDO)$")
LOOKS = ("front_look", "back_look")
"""The witnesses that read nothing: what a network, trained on drawings alone, takes each side for."""
LOOK_OF_F = "front_look_f"
"""Whether the front is of F, whose order is all its own: the one question that the look alone may answer, among models that what
was read does not tell apart. E and F are both accepted, so that nobody is refused for it; A to D are told by what is read."""
LAYOUTS = ("front_layout", "back_layout")
"""The witnesses of whose template fits a side best: they hang on the labels and codes that were read, so they count beside
these as little as a look does."""
WEAK = (*LOOKS, LOOK_OF_F, *LAYOUTS)
OUTWEIGHED, REMAINS = 0.45, 0.9
"""A model that print does not tell from another is left out where the weak witnesses give it less than the first share of what
they give the other (a look does, 0.3 to 0.7; a layout alone, 0.4 to 0.6, does not), and where that leaves the second share of the
group's probability: a rare model (F, H) is not named alone for a usual look, nor is a frequent one given up for it."""
FIELD_LABELS = ("NOMBRE", "DOMICILIO", "CLAVE DE ELECTOR", "CURP", "VIGENCIA", "SECCION", "FECHA DE NACIMIENTO")
"""Labels that fronts from C on share: where several of them were read, a label that was not found was probably not there."""
ENOUGH_LABELS = 4
ABROAD_LABELS = ("ADDRESS", "REGISTRATION YEAR", "PLACE OF BIRTH", "LUGAR DE NACIMIENTO", "DATE OF BIRTH", "EXTRANJERO")
"""F's bilingual labels and legend; whether H keeps some of them is not public."""


class FrontClues(Protocol):
    """What reading the front gives: headings and labels as printed, and the values by field name."""

    @property
    def labels(self) -> frozenset[str]: ...

    @property
    def readings(self) -> Mapping[str, tuple[FieldReading, ...]]: ...


@dataclass(frozen=True, slots=True)
class ModelFound:
    """model: None where no witness spoke.  candidates: it and those that nothing read tells from it.  confidence: 0..1, that
    the card is one of the candidates; low where witnesses disagree."""

    model: CardModel | None
    candidates: tuple[CardModel, ...]
    confidence: float
    witnesses: tuple[Witness, ...]


def identify_model(front: FrontClues | None, mrz: MrzEvidence | None, codes: tuple[CodeEvidence, ...],
                   calibration: Calibration, *, has_back: bool, looks: Mapping[Side, CardLook] | None = None,
                   layouts: Mapping[Side, tuple[CardModel, ...]] | None = None) -> ModelFound:
    """From what both sides showed; `front` and the back's evidence may be missing. Codes and MRZ are the back's.

    looks: what the network takes each side that was found for.  layouts: the models whose template fits each side best.
    """
    labels = frozenset(map(plain, front.labels)) if front else frozenset[str]()
    readings = front.readings if front else {}
    said = [*_front_witnesses(labels, readings)]
    if has_back:
        said += _back_witnesses(mrz, codes)
    said += _look_witnesses(looks or {}, calibration)
    said += _layout_witnesses(layouts or {})
    witnesses = tuple(Witness(name, tuple(says), calibration[f"model.{worth}"]) for name, says, worth in said)
    if not witnesses:
        return ModelFound(None, (), 0.0, ())
    return weigh(witnesses, abroad=_lives_abroad(readings))


def weigh(witnesses: tuple[Witness, ...], *, abroad: bool = False) -> ModelFound:
    """Naive Bayes over the letters: a witness of weight w multiplies the models it names by w, the others by 1 - w.

    A witness against the winner leaves no more confidence than twice its own chance to be wrong: a front and a back of two
    cards are then uncertain, however many witnesses each side has.  Looks and layouts choose among models that print does not
    tell apart, and leave one out where a likely one remains; they set no such limit. Where nothing was read, only the models
    that they name are weighed, and none is surer than its weight.
    """
    new = any(set(witness.says) == set(NEWEST) for witness in witnesses)
    models = [model for model in CardModel if new or model not in NEWEST]
    read = tuple(witness for witness in witnesses if witness.name not in WEAK)
    usual = tuple(witness for witness in witnesses if witness.name != LOOK_OF_F)
    if not read:
        models = [model for model in models if any(model in witness.says for witness in usual)]
    likelihood, by_reading = _likelihood(models, usual), _likelihood(models, read or usual)
    prior = dict(PRIOR)
    if abroad:
        for home, away in ((E, F), (G, H), (I, J)):
            both = PRIOR[home] + PRIOR[away]
            prior |= {home: HOME_SHARE * both, away: (1 - HOME_SHARE) * both}
    posterior = {model: likelihood[model] * prior[model] for model in models}
    total = sum(posterior.values())
    likeliest = max(models, key=lambda model: posterior[model])
    alike = [model for model in models if math.isclose(by_reading[model], by_reading[likeliest], rel_tol=1e-9)]
    looked = _likelihood(alike, tuple(witness for witness in (witnesses if read else usual) if witness.name in WEAK))
    kept = [model for model in alike if looked[model] >= OUTWEIGHED * max(looked.values())]
    chances = {model: looked[model] * prior[model] for model in alike}
    remains = sum(chances[model] for model in kept) >= REMAINS * sum(chances.values())
    candidates = tuple(kept if remains else alike)
    winner = max(candidates, key=lambda model: chances[model])
    against = max((witness.weight for witness in read if winner not in witness.says), default=0.5)
    limit = 2 * (1 - against) if read else max(witness.weight for witness in usual)
    of_these = sum(chances[model] for model in candidates) / sum(chances.values())
    confidence = min(of_these * sum(posterior[model] for model in alike) / total, limit)
    return ModelFound(winner, candidates, confidence, witnesses)


def _likelihood(models: Iterable[CardModel], witnesses: tuple[Witness, ...]) -> dict[CardModel, float]:
    return {model: math.prod(w.weight if model in w.says else 1 - w.weight for w in witnesses) for model in models}


Said = tuple[str, Iterable[CardModel], str]
"""Name of the witness, the models that it leaves, and what its source is worth (a name in models/calibration/model.json)."""


def _front_witnesses(labels: frozenset[str], readings: Mapping[str, tuple[FieldReading, ...]]) -> Iterator[Said]:
    """By headings and labels; accents are gone from them."""
    if _any(labels, "FEDERAL ELECTORAL"):
        yield "heading_federal", (A, B, C, D), "heading"
    if _any(labels, "NACIONAL ELECTORAL"):
        yield "heading_nacional", (E, F, G, H, I, J), "heading"
    if _any(labels, "EDAD", "FOLIO"):
        yield "label_edad_folio", OLD, "printed"
    places = _any(labels, "LOCALIDAD", "MUNICIPIO")
    if places:
        yield "label_localidad_municipio", (A, B, C, D, E), "printed"
    elif _count(labels, FIELD_LABELS) >= ENOUGH_LABELS:
        yield "no_label_localidad", (F, G, H, I, J), "not_found"
    if _any(labels, *ABROAD_LABELS):
        yield "bilingual_or_abroad", (F, H, J), "heading"
    if _any(labels, "GENERO"):
        yield "label_genero", NEWEST, "announced"
    issued = _any(labels, "EMISION")
    if issued:
        yield "label_emision", (D, E, F), "printed"
    elif _one_field(readings.get("issue_year", ()), readings.get("expiry_year", ())):
        yield "vigencia_range", (G, H, I, J), "printed"


def _one_field(first: tuple[FieldReading, ...], last: tuple[FieldReading, ...]) -> bool:
    """Whether both stand in one place: `2019 - 2029` under one label, not two years beside labels of their own."""
    return bool(first and last) and first[0].box_mm == last[0].box_mm


def _back_witnesses(mrz: MrzEvidence | None, codes: tuple[CodeEvidence, ...]) -> Iterator[Said]:
    """By what was read, and, weaker, by what was not."""
    read = {code.role for code in codes if code.status is not CodeStatus.DETECTED}
    shown = {code.role for code in codes} - read
    large = {CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT}
    if read & large:
        yield "large_qr", (G, H, I, J), "decoded"
    elif shown & large:
        yield "large_qr_shows", (G, H, I, J), "shows"
    if CodeRole.PDF417 in read:
        yield "pdf417", (D, E, F), "decoded"
    if CodeRole.SMALL in read:
        yield "small_qr", (E, F, G, H, I, J), "decoded"
    elif CodeRole.PDF417 in read and CodeRole.SMALL not in shown:
        yield "no_small_qr", (A, B, C, D), "not_beside"  # what reads a PDF417 on E's or F's back finds the QR beside it
    elif read - {CodeRole.FOREIGN}:
        yield "no_small_qr", (A, B, C, D), "not_found"
    if CodeRole.SMALL in read and not (read | shown) & large:
        yield "no_large_qr", (E, F), "not_found"
    if mrz is not None:
        yield "mrz", tuple(model for model in CardModel if model.has_mrz), "decoded" if mrz.valid else "shows"
    else:
        yield "no_mrz", OLD, "not_found"


def _look_witnesses(looks: Mapping[Side, CardLook], calibration: Calibration) -> Iterator[Said]:
    """By the look of the whole side; silent where the network takes it for no credential."""
    for side, card_look in looks.items():
        says = card_look.models(side, calibration["model.look_enough"])
        if says:
            yield LOOKS[side is Side.BACK], says, "look"
        is_f = card_look.is_f(calibration["model.look_sure"]) if side is Side.FRONT and says else None
        if is_f is not None:
            yield LOOK_OF_F, (F,) if is_f else tuple(model for model in CardModel if model is not F), "look_f"


def _layout_witnesses(layouts: Mapping[Side, tuple[CardModel, ...]]) -> Iterator[Said]:
    """By the templates. I and J have none: what is known of them keeps G's order, so that G's layout leaves them."""
    for side, models in layouts.items():
        if models:
            yield LAYOUTS[side is Side.BACK], (*models, *(NEWEST if G in models else ())), "layout"


def _lives_abroad(readings: Mapping[str, tuple[FieldReading, ...]]) -> bool:
    return any(_COUNTRY.search(plain(reading.value).strip(" .,")) for reading in readings.get("address", ())[:1])


def plain(text: str) -> str:
    """Capitals without accents (Ñ becomes N), one blank between words."""
    bare = unicodedata.normalize("NFKD", text.upper())
    return " ".join("".join(letter for letter in bare if not unicodedata.combining(letter)).split())


def _any(labels: frozenset[str], *parts: str) -> bool:
    return any(part in label for label in labels for part in parts)


def _count(labels: frozenset[str], parts: Iterable[str]) -> int:
    return sum(_any(labels, part) for part in parts)
