"""The support's own words: what `support.json` and the API's `support` part may say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pipeline.domain.card_model import CardModel
from pipeline.errors import BadSupportInfo

MAX_STROKES, MAX_POINTS = 200, 20_000
"""A signature of 20,000 points is minutes of drawing; more is not a signature."""
MAX_TEXT = 200
MAX_NUMBER = 1e12
"""Of a point's numbers: pixels, milliseconds, shares."""


class State(StrEnum):
    """Where a support stands. `final` states are those of an authority's decision; `erased`: nothing of it can be read again."""

    RECEIVED = "received"
    PROCESSING = "processing"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RETAKE_WANTED = "retake_wanted"
    IN_REVIEW = "in_review"
    FINAL = "final"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class StrokePoint:
    """x, y in the drawing's own units; t in milliseconds; pressure 0..1."""

    x: float
    y: float
    t: float | None = None
    pressure: float | None = None


@dataclass(frozen=True, slots=True)
class SupportInfo:
    """All optional: what is absent is not known, and no check is passed by absence."""

    process: str | None = None
    applicant: str | None = None
    gatherer: str | None = None
    chosen_model: CardModel | None = None
    notice_version: str | None = None
    captured_at: datetime | None = None
    device: str | None = None
    as_of: date | None = None
    strokes: tuple[tuple[StrokePoint, ...], ...] = ()

    @staticmethod
    def parse(text: str | bytes) -> SupportInfo:
        """From JSON. Raises `BadSupportInfo` that names the key and what it should hold; unknown keys are refused."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadSupportInfo("`support` is not JSON: send an object such as {\"process\": \"demo\"}") from error
        if not isinstance(data, dict):
            raise BadSupportInfo("`support` must be a JSON object, such as {\"process\": \"demo\"}")
        unknown = sorted(set(data) - set(_READERS))
        if unknown:
            raise BadSupportInfo(f"unknown key {unknown[0][:40]!r} in `support`: allowed are {', '.join(_READERS)}")
        values = {key: _READERS[key](key, value) for key, value in data.items() if value is not None}
        return SupportInfo(**values)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise BadSupportInfo(f"`{key}` must be a text of 1 to {MAX_TEXT} characters")
    return value


def _model(key: str, value: Any) -> CardModel:
    if value not in list(CardModel):
        raise BadSupportInfo(f"`{key}` must be one letter from A to J")
    return CardModel(value)


def _date(key: str, value: Any) -> date:
    try:
        return date.fromisoformat(_text(key, value))
    except ValueError as error:
        raise BadSupportInfo(f"`{key}` must be a date as 2026-11-24") from error


def _moment(key: str, value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(key, value))
    except ValueError as error:
        raise BadSupportInfo(f"`{key}` must be a moment with its offset, as 2026-11-24T10:00:00-06:00") from error
    if moment.tzinfo is None:
        raise BadSupportInfo(f"`{key}` must carry its offset, as 2026-11-24T10:00:00-06:00")
    return moment


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < MAX_NUMBER:
        raise BadSupportInfo(f"`{key}` must hold finite numbers")
    return float(value)


def _point(key: str, value: Any) -> StrokePoint:
    if not isinstance(value, dict) or not {"x", "y"} <= set(value) <= {"x", "y", "t", "pressure"}:
        raise BadSupportInfo(f"`{key}` must hold points as {{\"x\": 1, \"y\": 2}}, with t and pressure if known")
    return StrokePoint(**{name: _number(key, number) for name, number in value.items() if number is not None})


def _strokes(key: str, value: Any) -> tuple[tuple[StrokePoint, ...], ...]:
    if not isinstance(value, list) or not all(isinstance(stroke, list) for stroke in value):
        raise BadSupportInfo(f"`{key}` must be a list of strokes, each a list of points")
    if len(value) > MAX_STROKES or sum(len(stroke) for stroke in value) > MAX_POINTS:
        raise BadSupportInfo(f"`{key}` is longer than {MAX_STROKES} strokes or {MAX_POINTS} points")
    return tuple(tuple(_point(key, point) for point in stroke) for stroke in value)


_READERS: dict[str, Any] = {
    "process": _text, "applicant": _text, "gatherer": _text, "chosen_model": _model, "notice_version": _text,
    "captured_at": _moment, "device": _text, "as_of": _date, "strokes": _strokes,
}
