"""Drawn signatures and what is none; in three ways of showing, and as strokes. Expected kinds: what was drawn."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from models.evaluation import drawings_unseen
from models.evaluation.drawings import dot, flourish, hatching, long_name, nothing, specimen, straight
from models.evaluation.drawings_shown import WAYS, paper, plain, rasterised
from models.registry import load_calibration
from pipeline.cli.check_signature import check_signature_command
from pipeline.domain.evidence import SignatureKind
from pipeline.domain.support import StrokePoint
from pipeline.stages.decode import decode
from pipeline.stages.signature import examine_signature, measure_ink
from pipeline.stages.signature_ink import ink_mask

KIND = SignatureKind

def kinds(draw, way, count=5, seed=3):
    """The kinds that drawings of one style are given, shown in one way."""
    rng = np.random.default_rng(seed)
    canvas, show = WAYS[way]
    return [examine_signature(show(rasterised(draw(rng), rng, canvas), rng), (), load_calibration()).kind for _ in range(count)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("draw", "kind"), [
    (flourish, KIND.SIGNATURE), (specimen, KIND.SIGNATURE), (drawings_unseen.initials, KIND.SIGNATURE),
    (nothing, KIND.BLANK), (dot, KIND.DOT), (straight, KIND.LINE), (drawings_unseen.bow, KIND.LINE)])
def test_kinds_of_pictures(draw, kind, way):
    """Every way of showing, but for what a single drawing may lose on paper (see docs/signature.md for the rates)."""
    if way == "trimmed" and kind is not KIND.SIGNATURE:
        pytest.skip("nothing is trimmed to a blank")
    named, hard = kinds(draw, way), way in ("paper in shadow", "ruled paper")
    if kind is KIND.SIGNATURE:
        assert sum(one in (KIND.BLANK, KIND.DOT, KIND.LINE, KIND.CUT) for one in named) <= hard
    else:
        assert named.count(KIND.SIGNATURE) <= hard
        assert hard or set(named) == {kind}


@pytest.mark.parametrize("way", ["plain", "thin pen", "huge", "transparent", "paper"])
def test_a_long_name_is_a_signature(way):
    assert kinds(long_name, way).count(KIND.SIGNATURE) >= 4


def test_what_is_far_too_small():
    rng = np.random.default_rng(3)
    named = {examine_signature(plain(rasterised(flourish(rng), rng, span=0.05), rng), (), load_calibration()).kind for _ in range(8)}
    assert named <= {KIND.TOO_SMALL, KIND.DOT, KIND.LINE}


def test_a_typed_word_is_never_accepted_on_a_screen():
    rng = np.random.default_rng(3)
    named = [examine_signature(plain(drawings_unseen.set_in_type(rng), rng), (), load_calibration()).kind for _ in range(12)]
    assert named.count(KIND.PRINT) >= 10
    assert named.count(KIND.SIGNATURE) <= 1


def test_a_covered_place_is_no_signature():
    assert kinds(hatching, "plain", count=12).count(KIND.SIGNATURE) <= 2


def test_an_empty_frame_is_a_blank():
    rng = np.random.default_rng(5)
    named = [examine_signature(plain(drawings_unseen.framed(rng), rng), (), load_calibration()).kind for _ in range(6)]
    assert named.count(KIND.BLANK) >= 5
    assert KIND.SIGNATURE not in named


def test_white_ink_on_transparent_shows():
    """A PNG whose drawing is white and whose ground is transparent, and one whose ground is opaque white."""
    rng = np.random.default_rng(6)
    mask = rasterised(flourish(rng), rng)
    white = np.full((*mask.shape, 3), 255, np.uint8)
    for alpha, kind in ((mask, KIND.SIGNATURE), (np.full_like(mask, 255), KIND.BLANK), (np.zeros_like(mask), KIND.BLANK)):
        picture = decode(cv2.imencode(".png", np.dstack([white, alpha]))[1].tobytes())
        assert examine_signature(picture.view, (), load_calibration()).kind is kind


def test_a_signature_that_runs_out_of_the_picture_is_cut():
    rng = np.random.default_rng(4)
    mask = rasterised(flourish(rng), rng, span=0.8)
    x, y, w, h = cv2.boundingRect(mask)
    cut = np.ascontiguousarray(mask[y + h // 3 : y + h - h // 3, max(0, x - 60) : x + w + 60])
    assert examine_signature(255 - cut, (), load_calibration()).kind is KIND.CUT


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 5), (60, 60)])
def test_any_size_of_picture_is_answered(shape):
    assert examine_signature(np.full(shape, 255, np.uint8), (), load_calibration()).kind is KIND.BLANK


def test_neither_picture_nor_strokes():
    assert examine_signature(None, (), load_calibration()).kind is KIND.UNREADABLE


def strokes(*lines):
    return tuple(tuple(StrokePoint(float(x), float(y)) for x, y in line) for line in lines)


LOOPS = [(20 * t + 15 * np.cos(5 * t), 25 * np.sin(5 * t)) for t in np.linspace(0, 6, 200)]


@pytest.mark.parametrize(("drawn", "kind"), [
    (strokes([(0, 0), (100, 3), (200, 1)]), KIND.LINE),
    (strokes([(5, 5)]), KIND.DOT),
    (strokes([(5, 5), (5, 5)]), KIND.DOT),
    (strokes([]), KIND.BLANK),
    (strokes(LOOPS), KIND.SIGNATURE),
    (strokes([(1e6 * x, -1e6 * y) for x, y in LOOPS]), KIND.SIGNATURE),
    (strokes([(1e-6 * x, 1e-6 * y) for x, y in LOOPS]), KIND.SIGNATURE),
    (strokes([(-1e11, 0), (1e11, 1)]), KIND.LINE),
    (strokes([(5000 + x / 10, 9000 + y / 10) for x, y in LOOPS]), KIND.SIGNATURE),
    (strokes([(500, 300), (501, 301), (500, 301), (501, 300), (500, 300)]), KIND.DOT),
])
def test_kinds_of_strokes(drawn, kind):
    assert examine_signature(None, drawn, load_calibration()).kind is kind


def test_the_picture_decides_over_strokes():
    assert examine_signature(np.full((300, 600), 255, np.uint8), strokes(LOOPS), load_calibration()).kind is KIND.BLANK


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_turning_counts_loops(turns):
    """A spiral of n turns changes its direction by 2 n half turns."""
    t = np.linspace(0, 2 * np.pi * turns, 400)
    radius = np.linspace(30, 180, 400)
    points = np.stack([200 + radius * np.cos(t), 200 + radius * np.sin(t)], axis=1)
    mask = np.zeros((400, 400), np.uint8)
    cv2.polylines(mask, [np.round(points).astype(np.int32)], False, 255, 4)
    assert measure_ink(mask).turning == pytest.approx(2 * turns, rel=0.2)


def test_extents_are_shares_of_the_picture():
    picture = np.full((400, 800, 3), 255, np.uint8)
    zigzag = np.array([[200, 100], [300, 300], [400, 100], [500, 300], [600, 100]], np.int32)
    cv2.polylines(picture, [zigzag], False, (200, 80, 20), 5)
    found = examine_signature(picture, (), load_calibration())
    assert found.kind is KIND.SIGNATURE and found.parts == 1
    assert found.width == pytest.approx(0.5, abs=0.03) and found.height == pytest.approx(0.5, abs=0.03)
    assert found.turns >= 3


def test_uneven_light_leaves_only_the_ink():
    rng = np.random.default_rng(8)
    mask = rasterised(flourish(rng), rng)
    ink = ink_mask(paper(mask, rng), load_calibration())
    truth = cv2.resize(mask, ink.shape[::-1], interpolation=cv2.INTER_AREA) > 100
    assert (ink > 0)[~cv2.dilate(truth.astype(np.uint8), np.ones((7, 7))).astype(bool)].mean() < 0.001
    assert (ink > 0)[truth].mean() > 0.9


def test_command(tmp_path, capsys):
    rng = np.random.default_rng(2)
    drawn = {"signed": flourish(rng), "empty": [], "hatched": hatching(rng)}
    for name, lines in drawn.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), plain(rasterised(lines, rng), rng))
    (tmp_path / "support.json").write_text(json.dumps({"strokes": [[{"x": x, "y": y} for x, y in LOOPS]]}))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = ["signed.png", "broken.png", "empty.png", "hatched.png", "support.json"]
    check_signature_command([tmp_path / name for name in names], jsonl=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["outcome"], row["kind"]) for row in rows] == [
        ("passed", "signature"), (None, None), ("failed", "blank"), ("uncertain", "scribble"), ("passed", "signature")]
    assert rows[0]["strokes"] is None and rows[4]["strokes"] == 1
    assert all(row["parts"] >= 1 and row["turns"] > 2 and 0 < row["width"] <= 1 for row in (rows[0], rows[4]))
    assert rows[1]["error"]["code"].startswith("bad_picture")
