"""A citizen-participation process as policy: which models, where, until when, and which checks `accepted` requires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipeline.domain.card_model import CardModel
from pipeline.domain.support import State
from pipeline.domain.verdict import CheckName

WAITS_FOR_NOBODY = frozenset({State.ACCEPTED, State.REJECTED, State.RETAKE_WANTED, State.FINAL})
"""States in which a support may stay for ever: a retake is perhaps never taken."""


@dataclass(frozen=True, slots=True)
class Extension:
    """The authority's word that cards of one year (and entidad, or all) stay valid longer."""

    expiry_year: int
    valid_until: date
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A privacy notice as citizens are shown it: its text by version, and the days on which it is the one to be shown."""

    version: str
    text: str
    since: date | None = None
    until: date | None = None

    def in_force(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Process:
    """Policy as data. `required`: the checks that must pass for `accepted`; any other may stay not executed."""

    id: str
    version: str
    accepted_models: frozenset[CardModel]
    required: frozenset[CheckName]
    states: frozenset[str] | None = None
    """Two-digit codes of the demarcation; None is the whole country."""
    sections: frozenset[str] | None = None
    e_f_issued_from: int = 2016
    """E and F are valid only if issued in or after this year (domain.md, table of models)."""
    extensions: tuple[Extension, ...] = ()
    name: str = ""
    applicants: frozenset[str] | None = None
    """Ids of those who gather supports; None: whoever."""
    opens: date | None = None
    closes: date | None = None
    """First and last day on which a support may be captured."""
    retention_days: int | None = None
    """How long a support is kept once it waits for nobody; None: until it is erased."""
    retention: tuple[tuple[str, int], ...] = ()
    """Days by state where they differ from that, also for one that waits for a person."""
    retention_from: str = "change"
    """From when the days run: a support's last `change`, or the process's end (`close`) where that is later."""
    reuse_everywhere: bool = False
    """Copies are looked for in every process of the deployment, not in this one alone."""
    background_supports: int = 0
    """So many other supports of one sender on what looks the same surface are a lead to a person; 0: not looked for."""
    sender_supports: int = 0
    """More supports of one sender are a lead to a person; 0: not counted."""
    max_retakes: int = 5
    """Whoever was asked this often and still could not needs a person, not another try."""
    activation: bool = False
    """The check `device` asks for a phone that was activated, not only for one that proves its key."""

    notices: tuple[Notice, ...] = ()
    """The privacy notices that were ever shown; a support names the version that its citizen agreed to."""
    other_way: str = ""
    """For who cannot sign or be matched: where else to give a support. Told in their own view; empty: there is none."""

    def notice(self, version: str) -> Notice | None:
        return next((notice for notice in self.notices if notice.version == version), None)

    def kept_days(self, state: State) -> int | None:
        """For how many days a support is kept that stands so; None: for good."""
        return dict(self.retention).get(state.value, self.retention_days if state in WAITS_FOR_NOBODY else None)

    def takes(self, captured: date) -> bool:
        """Whether supports are gathered on this day."""
        return (self.opens is None or self.opens <= captured) and (self.closes is None or captured <= self.closes)

    def valid_until(self, expiry_year: int, state: str | None) -> date:
        """The last day a card with this VIGENCIA is valid: 31 December of it, or the extension in force."""
        days = [date(expiry_year, 12, 31)]
        days += [extension.valid_until for extension in self.extensions
                 if extension.expiry_year == expiry_year and extension.state in (None, state)]
        return max(days)


_ALWAYS = frozenset({
    CheckName.DOOR, CheckName.FRONT_LOCATED, CheckName.BACK_LOCATED, CheckName.MODEL_ACCEPTED, CheckName.SAME_CARD,
    CheckName.SIDE_QUALITY, CheckName.SMALL_QR, CheckName.MRZ_VALID, CheckName.QR_MRZ, CheckName.MRZ_FRONT, CheckName.EXPIRY,
    CheckName.PORTRAIT_FOUND, CheckName.FACE_MATCH, CheckName.SIGNATURE_PRESENT, CheckName.PRESENTATION_FRONT,
    CheckName.PRESENTATION_BACK,
})

IN_EARNEST = frozenset({CheckName.DEVICE, CheckName.CONSENT, CheckName.REUSE_IMAGE, CheckName.REUSE_CARD})
"""What a process that counts requires besides; k8s/policy/process.toml does."""

DEMO_PROCESS = Process(
    id="demo",
    version="demo-1",
    accepted_models=frozenset(model for model in CardModel if model.has_qr_back),
    required=_ALWAYS,
    notices=(Notice("1", "MUESTRA. Aviso de privacidad del proceso de demostración: no hay datos de personas reales."),),
)
"""Built in: models E to J, whole country, neither registry nor reuse nor device nor consent required."""
