"""support.json is parsed at the edge: what is not known is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.domain.card_model import CardModel
from pipeline.domain.support import MAX_POINTS, SupportInfo
from pipeline.errors import BadSupportInfo


def test_everything_known_is_kept() -> None:
    info = SupportInfo.parse(json.dumps({
        "process": "demo", "applicant": "a-1", "gatherer": "g-1", "chosen_model": "G", "notice_version": "2026-1",
        "captured_at": "2026-11-24T10:00:00-06:00", "device": "d-1", "as_of": "2026-11-24",
        "strokes": [[{"x": 1, "y": 2.5, "t": 3, "pressure": 0.5}, {"x": 2, "y": 3}]]}))
    assert info.chosen_model is CardModel.G and info.as_of is not None and info.as_of.isoformat() == "2026-11-24"
    assert info.captured_at is not None and info.captured_at.utcoffset() is not None
    assert [(point.x, point.y, point.t, point.pressure) for point in info.strokes[0]] == [(1, 2.5, 3, 0.5), (2, 3, None, None)]


def test_nothing_is_required() -> None:
    assert SupportInfo.parse("{}") == SupportInfo() == SupportInfo.parse('{"process": null}')


@pytest.mark.parametrize(("words", "named"), [
    ("", "not JSON"), ("[]", "object"), ("[" * 100_000, "not JSON"),
    ({"procces": "demo"}, "procces"), ({"process": 1}, "process"), ({"process": ""}, "process"), ({"applicant": "x" * 201}, "applicant"),
    ({"chosen_model": "K"}, "A to J"), ({"chosen_model": ["G"]}, "A to J"), ({"as_of": "24/11/2026"}, "as_of"), ({"as_of": 20261124}, "as_of"),
    ({"captured_at": "2026-11-24T10:00:00"}, "offset"), ({"captured_at": "today"}, "offset"),
    ({"strokes": [{"x": 1}]}, "strokes"), ({"strokes": [[{"x": 1}]]}, "strokes"), ({"strokes": [[{"x": "1", "y": 2}]]}, "strokes"),
    ({"strokes": [[{"x": True, "y": 2}]]}, "strokes"), ({"strokes": [[{"x": 1e300, "y": 2}]]}, "strokes"),
    ({"strokes": [[{"x": 1, "y": 2, "z": 3}]]}, "strokes"), ({"strokes": [[{"x": 0, "y": 0}] * (MAX_POINTS + 1)]}, str(MAX_POINTS)),
])
def test_what_is_refused_is_named(words: Any, named: str) -> None:
    text = words if isinstance(words, str) else json.dumps(words)
    with pytest.raises(BadSupportInfo, match=named) as caught:
        SupportInfo.parse(text)
    assert caught.value.code == "bad_support_info"


def test_nan_is_no_coordinate() -> None:
    with pytest.raises(BadSupportInfo):
        SupportInfo.parse('{"strokes": [[{"x": NaN, "y": 1}]]}')
