"""A support as different eyes may see it: in whole, as the citizen, in one line."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pipeline.domain.folio import folio_of
from pipeline.records.listing import Count, Standing

Json = dict[str, Any]


class View(StrEnum):
    """Asked for by `?view=`. The app's backend is an operator; it forwards the citizen's view to the phone."""

    OPERATOR = "operator"
    CITIZEN = "citizen"


CITIZEN_KEYS = ("id", "folio", "status", "round", "process", "received_at", "verdict", "wanted")
"""Of the resource. No score, reading, check or developer's detail: they would teach how to pass."""

OTHER_WAY_FOR = ("face.", "selfie.", "signature.", "support.retakes_spent")
"""Reasons, by how they begin."""


def needs_other_way(resource: Json) -> bool:
    """Whether what stands in the way is the person's face or hand, which taking a picture again may never mend."""
    return any(reason["code"].startswith(OTHER_WAY_FOR) for reason in resource["reasons"])


def citizen_json(resource: Json, other_way: str | None) -> Json:
    """What a citizen may know: how it stands, why in words, and what to do next. other_way: the process's, where it helps."""
    decision = resource["decision"]
    return {**{key: resource[key] for key in CITIZEN_KEYS},
            "reasons": [{key: reason[key] for key in ("code", "subject", "message")} for reason in resource["reasons"]],
            "decision": None if decision is None else {"decision": decision["decision"], "decided_at": decision["decided_at"]},
            "other_way": other_way}


def standing_json(one: Standing) -> Json:
    return {"id": one.id, "folio": folio_of(one.id), "status": one.state.value, "round": one.round, "process": one.process,
            "applicant": one.applicant, "received_at": one.received_at.isoformat(), "updated_at": one.updated_at.isoformat(),
            "verdict": None if one.verdict is None else one.verdict.value, "reasons": list(one.reasons),
            "url": f"/v1/supports/{one.id}"}


def count_json(one: Count) -> Json:
    return {"process": one.process, "applicant": one.applicant, "total": one.states.total(),
            "states": dict(sorted(one.states.items())), "reasons": dict(sorted(one.reasons.items()))}


def etag_matches(header: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: whether If-None-Match names this entity tag, by the weak comparison."""
    named = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in named or etag in named
