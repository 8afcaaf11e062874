"""The look-up in the electoral roll: whether the credential is in force there. The authority's, not ours to answer."""

from __future__ import annotations

from typing import Protocol

from pipeline.domain.context import RollAnswer
from pipeline.domain.evidence import Evidence


class ElectoralRoll(Protocol):
    """Asked once a support, between `examine` and `decide`."""

    def ask(self, evidence: Evidence) -> RollAnswer | None:
        """By the identifiers that were read; None where it was not asked. Raises `Unavailable`: the support is tried again."""
        ...


class NoRoll:
    """An installation without access to the roll: the check `registry` stays not executed, and says so in each result."""

    def ask(self, evidence: Evidence) -> RollAnswer | None:  # noqa: ARG002 (the protocol's)
        return None
