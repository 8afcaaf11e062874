"""Drawn signatures and what is none; in three ways of showing, and as strokes. Expected kinds: what was drawn."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from models.evaluation.signature import canvas, dots, flourish, hatching, shown, straight, typed
from models.registry import load_calibration
from pipeline.cli.check_signature import check_signature_command
from pipeline.domain.evidence import SignatureKind
from pipeline.domain.support import StrokePoint
from pipeline.stages.signature import examine_signature, ink_mask, measure_ink

KIND = SignatureKind
WAYS = ("plain", "transparent", "paper")


def kinds(draw, way, count=12, seed=3):
    rng = np.random.default_rng(seed)
    return [examine_signature(shown(draw(rng), rng, way), (), load_calibration()).kind for _ in range(count)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("draw", "allowed"), [
    (lambda rng: canvas(flourish(rng), rng)[1], {KIND.SIGNATURE}),
    (lambda rng: canvas([], rng)[1], {KIND.BLANK}),
    (lambda rng: canvas(dots(rng), rng)[1], {KIND.DOT}),
    (lambda rng: canvas(straight(rng), rng)[1], {KIND.LINE}),
    (lambda rng: canvas(flourish(rng), rng, 0.05)[1], {KIND.TOO_SMALL, KIND.DOT, KIND.LINE}),
    (typed, {KIND.PRINT, KIND.SCRIBBLE, KIND.TOO_SMALL}),
], ids=["flourish", "blank", "dot", "line", "too small", "typed"])
def test_kinds_of_pictures(draw, allowed, way):
    assert set(kinds(draw, way)) <= allowed


def test_a_covered_place_is_no_signature():
    assert kinds(lambda rng: canvas(hatching(rng), rng, 0.3)[1], "plain").count(KIND.SIGNATURE) <= 1


def test_a_signature_that_runs_out_of_the_picture_is_cut():
    rng = np.random.default_rng(4)
    _, mask = canvas(flourish(rng), rng, 0.8)
    x, y, w, h = cv2.boundingRect(mask)
    cut = np.ascontiguousarray(mask[y + h // 3 : y + h - h // 3, x : x + w])
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
    _, mask = canvas(flourish(rng), rng)
    ink = ink_mask(shown(mask, rng, "paper"), load_calibration())
    truth = cv2.resize(mask, ink.shape[::-1], interpolation=cv2.INTER_AREA) > 100
    assert (ink > 0)[~cv2.dilate(truth.astype(np.uint8), np.ones((7, 7))).astype(bool)].mean() < 0.001
    assert (ink > 0)[truth].mean() > 0.9


def test_command(tmp_path, capsys):
    rng = np.random.default_rng(2)
    drawn = {"signed": canvas(flourish(rng), rng)[1], "empty": canvas([], rng)[1], "hatched": canvas(hatching(rng), rng, 0.3)[1]}
    for name, mask in drawn.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), shown(mask, rng, "plain"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = ["signed", "broken", "empty", "hatched"]
    check_signature_command([tmp_path / f"{name}.png" for name in names], jsonl=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["outcome"], row["kind"]) for row in rows] == [
        ("passed", "signature"), (None, None), ("failed", "blank"), ("uncertain", "scribble")]
    assert rows[1]["error"]["code"].startswith("bad_picture")
