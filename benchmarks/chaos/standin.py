"""A judge that looks at no pixel: its evidence names the pictures it was given, its verdict follows from the front's
bytes, in later rounds from the back's.

So whoever reads a verdict can tell whose pictures it was made from. A front that is marked as poison does to the process what a
parser might.
"""

from __future__ import annotations

import hashlib

from benchmarks.chaos.history import PARTS, POISON, expected_outcome
from models.registry import load_calibration
from pipeline import faults
from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture
from pipeline.domain.context import Context
from pipeline.domain.evidence import (
    CardEvidence,
    CodeEvidence,
    CodeRole,
    CodeStatus,
    Evidence,
    FaceEvidence,
    Fingerprints,
    SignatureEvidence,
    SignatureKind,
    Symbology,
)
from pipeline.domain.verdict import Check, CheckName, CheckOutcome, Outcome, Reason, Subject, Verdict
from pipeline.electoral_roll import NoRoll
from pipeline.errors import Misconfigured
from pipeline.judge import Judge
from pipeline.networks.api import Array, Net, Networks

REASONS = {
    Outcome.ACCEPTED: (),
    Outcome.RETAKE: (Reason("back.blurred", Subject.BACK, "by its digest"),),
    Outcome.REVIEW: (Reason("card.model_unknown", Subject.SUPPORT, "by its digest"),),
    Outcome.REJECTED: (Reason("support.expired", Subject.SUPPORT, "by its digest"),),
}


class NoNetworks:
    """`Networks` of a process that looks at nothing."""

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:  # noqa: ARG002
        raise Misconfigured(f"no {name} here")

    def digests(self) -> dict[str, str]:
        return {}


def judge() -> Judge:
    return Judge(_examine, _decide, NoNetworks(), load_calibration(), NoRoll())


def _examine(capture: Capture, _networks: Networks, _calibration: Calibration) -> Evidence:
    pictures = [getattr(capture, name) or b"" for name in PARTS]
    _, marked, rest = pictures[0].partition(POISON)
    if marked:
        faults.strike(rest.partition(b";")[0].decode())
    digests = [hashlib.sha256(picture).hexdigest() for picture in pictures]
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    codes = tuple(CodeEvidence(Symbology.QR, CodeRole.FOREIGN, CodeStatus.DECODED, corners, digest, digest, len(digest), None, 1)
                  for digest in digests)
    return Evidence(
        CardEvidence(None, (), 0.0, (), None, None, {}), codes, None, {}, FaceEvidence(None, None, None, 0, None, None),
        SignatureEvidence(SignatureKind.SIGNATURE, 1.0, 0.0, 0.0, 0.0, 0, 0),
        Fingerprints(dict(zip(PARTS, digests, strict=True)), {}, None, None), {}, {})


def _decide(evidence: Evidence, context: Context) -> Verdict:
    front, back, *_ = (code.text or "" for code in evidence.codes)
    outcome = Outcome(expected_outcome(front if context.round == 1 else back))
    checks = tuple(Check(name, CheckOutcome.NOT_EXECUTED) for name in CheckName)
    return Verdict(outcome, REASONS[outcome], checks)
