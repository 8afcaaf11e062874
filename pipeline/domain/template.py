"""What stands where on a side of a model, as far as public text tells: priors with play, never a measure of what is genuine.

Places are millimetres on the upright card. The files: models/templates; an operator's own cards re-fit them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import BoxMm, CodeRole
from pipeline.domain.verdict import CheckName

CARD_MM = (85.60, 53.98)
"""ID-1, ISO/IEC 7810."""
PLAY_MM = 3.0
"""How far from its prior, in x and in y, an element may stand without a word: no public text gives exact places."""


class ElementKind(StrEnum):
    PHOTO = "photo"
    GHOST = "ghost"
    SIGNATURE = "signature"
    FINGERPRINT = "fingerprint"
    HEADING = "heading"
    LABEL = "label"
    FIELD = "field"
    CODE = "code"
    MRZ = "mrz"


class Certainty(StrEnum):
    """What a box rests on."""

    OFFICIAL = "official"
    SEVERAL = "several"
    ONE = "one"
    INFERRED = "inferred"
    FITTED = "fitted"
    """Re-fitted on an operator's own cards."""


@dataclass(frozen=True, slots=True)
class Element:
    """One printed thing. `texts`: canonical wordings of a label or heading. `role`: of a code.

    needed_for: the checks that cannot pass without it.  optional: not on every card of the model.
    """

    name: str
    kind: ElementKind
    box: BoxMm
    certainty: Certainty
    texts: tuple[str, ...] = ()
    role: CodeRole | None = None
    needed_for: tuple[CheckName, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """One side of the models that print does not tell apart."""

    models: tuple[CardModel, ...]
    side: Side
    elements: tuple[Element, ...]

    @property
    def name(self) -> str:
        """As its file is called: `gh_front`."""
        return f"{''.join(self.models).lower()}_{self.side}"

    def element(self, name: str) -> Element | None:
        return next((one for one in self.elements if one.name == name), None)


Templates = tuple[Template, ...]
