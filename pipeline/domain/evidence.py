"""What was seen in the four images: measurements and readings, each with where and how sure. No verdict, no policy.

Places: *photo* = (x, y) in pixels of the oriented photograph at full resolution; *mm* = on the upright card, from its
top left corner. Nothing here is a judgement: `pipeline.decide` compares these values with thresholds and rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pipeline.domain.card_model import CardModel, Side

Point = tuple[float, float]
Corners = tuple[Point, Point, Point, Point]
"""TL, TR, BR, BL of the upright card side, in photo pixels."""
BoxMm = tuple[float, float, float, float]
"""x0, y0, x1, y1 in millimetres on the upright card."""


class Sighting(StrEnum):
    """What the locator saw in a photograph."""

    FOUND = "found"
    NONE = "none"
    CUT = "cut"
    SEVERAL = "several"
    UNREADABLE = "unreadable"
    """The bytes do not decode, or the photo is missing."""


class Symbology(StrEnum):
    QR = "qr"
    PDF417 = "pdf417"
    CODE128 = "code128"


class CodeRole(StrEnum):
    SMALL = "small"
    LARGE_LEFT = "large_left"
    LARGE_RIGHT = "large_right"
    PDF417 = "pdf417"
    LINEAR = "linear"
    FOREIGN = "foreign"
    """Decoded, but none of INE's."""


class CodeStatus(StrEnum):
    DETECTED = "detected"
    DECODED = "decoded"
    CONSISTENT = "consistent"
    """Decoded, and what it says follows the grammar of its role. Never: authentic."""


@dataclass(frozen=True, slots=True)
class CodeEvidence:
    """One code on the card. `text` only where it is text; opaque bytes are kept as their digest and length."""

    symbology: Symbology
    role: CodeRole
    status: CodeStatus
    corners: Corners
    text: str | None
    sha256: str | None
    length: int
    px_per_module: float | None
    tries: int
    """How many steps of the ladder it took; 1 is the fast path."""
    opened: bool = False
    """Whether an authority's decoder opened it (`domain.large_qr`)."""


@dataclass(frozen=True, slots=True)
class MrzEvidence:
    """Three lines of 30 as read (after correction by field type). `valid`: all four check digits hold."""

    lines: tuple[str, str, str]
    valid: bool
    confidence: float
    corrections: int
    source: str
    box_mm: BoxMm | None = None
    """Where the three lines stand together on the upright back."""
    px_per_letter: float | None = None
    """Photo pixels from one letter to the next."""


@dataclass(frozen=True, slots=True)
class FieldReading:
    """A value read from one place. `source`: `front`, `mrz`, `small_qr`, `large_qr`; confidence 0..1."""

    value: str
    confidence: float
    source: str
    box_mm: BoxMm | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """One piece of evidence for the model. `says`: the models it leaves possible; weight 0..1."""

    name: str
    says: tuple[CardModel, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class RegionQuality:
    """The capture's quality over one place that checks need (`stages.region_quality`): photo, fields, mrz, small_qr.

    read: whether what stands there was read.  glare: share that is burnt out.  brightness: of its lightest tenth, 0..1.
    Of what was not read also: covered, the share that something lies on; sharpness as `SideQuality.sharpness`, None where no
    edge shows; streaks: how much all edges run one way, 0..1; detail: contrast of what is finer than half a millimetre, as a
    share of the brightness.
    """

    name: str
    box_mm: BoxMm
    read: bool
    glare: float
    brightness: float
    covered: float | None = None
    sharpness: float | None = None
    streaks: float | None = None
    detail: float | None = None


@dataclass(frozen=True, slots=True)
class SideQuality:
    """Measured over the card, not the photo's background. `px_per_mm` is what the photo really holds."""

    px_per_mm: float
    sharpness: float
    """Edge acutance over printed regions: 1 is crisp, 0 is mush (stages.quality says how)."""
    glare: float
    """Share of the card that is burnt out, 0..1."""
    brightness: float
    """Median luminance of the card, 0..1."""
    regions: tuple[RegionQuality, ...] = ()
    """Where it matters; empty where the side was not told."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the picture looks like it shows. Scores 0..1, higher is more suspicious; None: not measured. Together they are at
    most 1: what they leave is the card itself. `photocopy` is one in grey. `grid`, a measure of its own: how much one frequency
    stands out all over the card, as dots of print and a screen's pixels make it."""

    photocopy: float | None
    screen: float | None
    colour_copy: float | None = None
    grid: float | None = None

    @property
    def measured(self) -> Mapping[str, float]:
        """The scores that there are, by name, without `grid`."""
        scores = {"photocopy": self.photocopy, "colour_copy": self.colour_copy, "screen": self.screen}
        return {kind: score for kind, score in scores.items() if score is not None}


@dataclass(frozen=True, slots=True)
class TemplateEvidence:
    """How a side's print stands against its model's template (`pipeline.stages.register`).

    models: the template's.  anchors: how many printed things were found to judge by.  astray: those that stand more than
    the template's play from their place; by itself no sign of anything, since no public text gives exact places.
    shift (mm), scale, turn (radians, about the card's middle): from the template to this card.  found: elements by name, each
    with the box that was taken for it.
    """

    models: tuple[CardModel, ...]
    anchors: int
    astray: tuple[str, ...]
    shift: Point = (0.0, 0.0)
    scale: float = 1.0
    turn: float = 0.0
    found: tuple[tuple[str, BoxMm], ...] = ()


class SidesFault(StrEnum):
    """What the two sides together look like, where they do not look like one card's front and back."""

    SAME_SIDE_TWICE = "same_side_twice"
    TWO_MODELS = "two_models"


@dataclass(frozen=True, slots=True)
class Alignment:
    """The models whose template fits each side best (empty: nothing to tell by), and what does not go together."""

    front_models: tuple[CardModel, ...]
    back_models: tuple[CardModel, ...]
    faults: tuple[SidesFault, ...]


@dataclass(frozen=True, slots=True)
class SideEvidence:
    """One side of the card, found in one of the two card photos. `residual_mm`: how far print stands from its template, root
    mean square of what lies within the template's play; None where too little was found."""

    side: Side
    capture: Side
    corners: Corners
    locator_score: float
    residual_mm: float | None
    quality: SideQuality
    presentation: Presentation
    template: TemplateEvidence | None = None


@dataclass(frozen=True, slots=True)
class PhotoEvidence:
    """What became of one card photo. `shows` is None where no side could be told; `quality` where no card was found.
    `light`: luminance of the photo's lightest hundredth, 0..1; only where no side was told.  nothing: what lies there, whole or
    cut, looks like no document at all.  blur: spread of the photo's edges, a share of its long side; only where
    something like a card, and none for certain, was found; None too where there are no edges."""

    sighting: Sighting
    shows: Side | None
    side_confidence: float = 0.0
    quality: SideQuality | None = None
    light: float | None = None
    nothing: bool = False
    blur: float | None = None


@dataclass(frozen=True, slots=True)
class CardEvidence:
    """Which card lies there. `candidates` are models that print cannot tell apart; the likeliest is `model`."""

    model: CardModel | None
    candidates: tuple[CardModel, ...]
    confidence: float
    witnesses: tuple[Witness, ...]
    front: SideEvidence | None
    back: SideEvidence | None
    photos: Mapping[Side, PhotoEvidence]
    alignment: Alignment | None = None


@dataclass(frozen=True, slots=True)
class FaceFound:
    """One detected face. Box in the frame of its picture: mm for the card's portrait and ghost, photo pixels for the selfie."""

    box: tuple[float, float, float, float]
    score: float
    eyes_px: float
    """Pixels between the eyes in the photograph itself."""
    sharpness: float
    brightness: float
    yaw: float
    """Turn of the head from the landmarks: 0 is frontal, +-1 is profile."""


@dataclass(frozen=True, slots=True)
class FaceEvidence:
    """Portrait, ghost and selfie, and how alike they are (cosine, -1..1). None: not found or not compared."""

    portrait: FaceFound | None
    ghost: FaceFound | None
    selfie: FaceFound | None
    selfie_faces: int
    similarity: float | None
    ghost_similarity: float | None
    selfie_readable: bool = True
    """False where the selfie's bytes do not decode or are missing."""
    selfie_screen: float | None = None
    """How much a screen's grid stands out in the selfie, 0..1; None: not measured."""


class SignatureKind(StrEnum):
    SIGNATURE = "signature"
    BLANK = "blank"
    DOT = "dot"
    LINE = "line"
    SCRIBBLE = "scribble"
    PRINT = "print"
    TOO_SMALL = "too_small"
    CUT = "cut"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """What was drawn. Extents are shares of the picture; `ink` the share of inked pixels. parts: connected pieces.  strokes: how
    often the pen was set down, where strokes were sent."""

    kind: SignatureKind
    confidence: float
    ink: float
    width: float
    height: float
    parts: int
    turns: int
    """Changes of direction along the strokes."""
    strokes: int | None = None


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What reuse is looked up by. Never leaves the desk; an embedding, and a selfie's hash, is a face and is sealed like one."""

    part_sha256: Mapping[str, str]
    perceptual: Mapping[str, int]
    """512-bit hashes of front, back, selfie, signature (`pipeline.stages.fingerprint`); of those there is something to see on."""
    face: tuple[float, ...] | None
    """The portrait's embedding (the selfie's where the card shows no face)."""
    card_key: str | None
    """Digest of CIC and identificador, where they were read."""
    background: tuple[float, ...] | None = None
    """What the front lies on (`pipeline.stages.surroundings`), where enough of it is seen."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that `examine()` saw in one support."""

    card: CardEvidence
    codes: tuple[CodeEvidence, ...]
    mrz: MrzEvidence | None
    readings: Mapping[str, tuple[FieldReading, ...]]
    """Per field name (FIELD_NAMES), each source's reading, best first."""
    face: FaceEvidence
    signature: SignatureEvidence
    fingerprints: Fingerprints
    timings_ms: Mapping[str, float]
    networks: Mapping[str, str]


FIELD_NAMES = (
    "paternal_surname", "maternal_surname", "given_names", "address", "elector_key", "curp", "registration_year",
    "issue_number", "state", "municipality", "section", "locality", "issue_year", "expiry_year", "birth_date", "sex",
    "cic", "citizen_id", "ocr",
)
"""Names of the fields in the JSON of a support; `birth_date` is ISO 8601, `ocr` is section + citizen_id (13 digits)."""
