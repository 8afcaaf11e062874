"""The cases that specimens show, and what the demo policy must answer to each (the design's contract)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.specimens.camera import Defect
from models.specimens.edits import Edit
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import SignatureKind
from pipeline.domain.verdict import Outcome, Subject

WITH_QR = (CardModel.E, CardModel.F, CardModel.G, CardModel.H)


class Target(StrEnum):
    """What a planted defect hits. `MRZ` is a part of it: a few letters lost are enough."""

    PORTRAIT = "portrait"
    MRZ = "mrz"
    SMALL_QR = "small_qr"


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `models`: the cards it is drawn with.  verdict: what the demo policy answers where everything is legible.

    subjects: at least one reason must be about one of them; empty: not asked for.  shows: what each of the two photos
    shows; None is no credential.  defects: by photo.  reason: the retake reason that names the planted defect.
    """

    name: str
    verdict: Outcome
    subjects: tuple[Subject, ...] = ()
    models: tuple[CardModel, ...] = WITH_QR
    shows: tuple[Side | None, Side | None] = (Side.FRONT, Side.BACK)
    front_defect: Defect | None = None
    back_defect: Defect | None = None
    hits: Target | None = None
    """What a glare or a finger lies upon; None: the portrait of a front, the whole MRZ of a back."""
    reason: str | None = None
    signature: SignatureKind = SignatureKind.SIGNATURE
    expired: bool = False
    own_face: bool = True
    own_back: bool = True
    edit: Edit | None = None
    """The one character that was changed."""
    also: tuple[Outcome, ...] = ()
    """Other right answers: what a hatched drawing is, a person may say either way."""
    share: float = 1.0
    """How often it is drawn in a mixture, relative to the others; 0: only by name."""


_F, _B = Side.FRONT, Side.BACK
_BOTH = (Subject.FRONT, Subject.BACK)

_ALL = (
    Case("good", Outcome.ACCEPTED, share=30),
    Case("swapped", Outcome.ACCEPTED, shows=(_B, _F), share=2),
    Case("model_d", Outcome.REJECTED, (Subject.SUPPORT,), (CardModel.D,), share=2),
    Case("model_a", Outcome.REJECTED, (Subject.SUPPORT,), (CardModel.A,), share=0.5),
    Case("model_b", Outcome.REJECTED, (Subject.SUPPORT,), (CardModel.B,), share=0.5),
    Case("model_c", Outcome.REJECTED, (Subject.SUPPORT,), (CardModel.C,), share=0.5),
    Case("expired", Outcome.REJECTED, (Subject.SUPPORT,), (CardModel.E,), expired=True, share=2),
    Case("other_face", Outcome.REVIEW, (Subject.SELFIE,), own_face=False, share=2),
    Case("other_card_back", Outcome.REVIEW, (Subject.SUPPORT,), own_back=False, share=2),
    *(Case(f"edited_{edit}", Outcome.REVIEW, edit=edit, share=1.0 if edit is Edit.CURP else 0) for edit in Edit),
    Case("photocopy", Outcome.REVIEW, _BOTH, front_defect=Defect.PHOTOCOPY, back_defect=Defect.PHOTOCOPY, share=1.5),
    Case("screen", Outcome.REVIEW, _BOTH, front_defect=Defect.SCREEN, back_defect=Defect.SCREEN, share=1.5),
    *(Case(str(defect), Outcome.REVIEW, _BOTH, front_defect=defect, back_defect=defect, share=0.75)
      for defect in (Defect.COLOUR_COPY, Defect.CUT_OUT, Defect.PHONE_SCREEN)),
    Case("no_signature", Outcome.RETAKE, (Subject.SIGNATURE,), signature=SignatureKind.BLANK),
    Case("dot_signature", Outcome.RETAKE, (Subject.SIGNATURE,), signature=SignatureKind.DOT, share=0.5),
    Case("line_signature", Outcome.RETAKE, (Subject.SIGNATURE,), signature=SignatureKind.LINE, share=0.5),
    Case("blurred_front", Outcome.RETAKE, (Subject.FRONT,), front_defect=Defect.BLURRED),
    Case("blurred_back", Outcome.RETAKE, (Subject.BACK,), back_defect=Defect.BLURRED),
    Case("glare_front", Outcome.RETAKE, (Subject.FRONT,), front_defect=Defect.GLARE, share=0.5),
    Case("glare_back", Outcome.RETAKE, (Subject.BACK,), back_defect=Defect.GLARE, share=0.5),
    Case("dark_front", Outcome.RETAKE, (Subject.FRONT,), front_defect=Defect.DARK, share=0.5),
    Case("cut_front", Outcome.RETAKE, (Subject.FRONT,), front_defect=Defect.CUT),
    Case("cut_back", Outcome.RETAKE, (Subject.BACK,), back_defect=Defect.CUT, share=0.5),
    Case("no_credential", Outcome.RETAKE, (Subject.FRONT,), shows=(None, _B)),
    Case("same_side_twice", Outcome.RETAKE, (Subject.BACK,), shows=(_F, _F)),
    Case("scribble_signature", Outcome.REVIEW, also=(Outcome.ACCEPTED,), signature=SignatureKind.SCRIBBLE, share=0),
    # planted causes, each with the reason that names it; drawn by name only
    *(Case(f"planted_{defect}_{hit}", Outcome.RETAKE, (side,), front_defect=defect if side is Subject.FRONT else None,
           back_defect=defect if side is Subject.BACK else None, hits=hit, reason=f"{side}.{cause}", share=0)
      for defect, cause in ((Defect.GLARE, "glare"), (Defect.FINGER, "covered"))
      for side, hit in ((Subject.FRONT, Target.PORTRAIT), (Subject.BACK, Target.MRZ), (Subject.BACK, Target.SMALL_QR))),
    *(Case(f"planted_{defect}_{side}", Outcome.RETAKE, (side,), front_defect=defect if side is Subject.FRONT else None,
           back_defect=defect if side is Subject.BACK else None, reason=f"{side}.{cause}", share=0)
      for defect, cause in ((Defect.BLURRED, "blurred"), (Defect.MOTION, "blurred"), (Defect.DARK, "dark"),
                            (Defect.FAR, "too_far"))
      for side in (Subject.FRONT, Subject.BACK)),
)
CASES: dict[str, Case] = {case.name: case for case in _ALL}
"""By name."""

DEMO: tuple[tuple[str, CardModel], ...] = (
    ("good", CardModel.E), ("good", CardModel.G), ("good", CardModel.F), ("good", CardModel.H), ("swapped", CardModel.G),
    ("model_d", CardModel.D), ("expired", CardModel.E), ("other_face", CardModel.G), ("no_signature", CardModel.E),
    ("blurred_back", CardModel.G), ("photocopy", CardModel.E), ("other_card_back", CardModel.G), ("no_credential", CardModel.E),
)
"""What `apoyo demo` sends, in this order: the five that are accepted first, so that each has a face of its own."""
