"""`apoyo models`: packs that an operator brings, tried with our own recogniser and a drawn graph of a detector's shape."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import typer
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from models import packs as model_packs
from models.registry import load_manifest, weight_path
from pipeline.cli.compare_faces import compare_faces_command
from pipeline.cli.models import models
from pipeline.errors import Misconfigured
from pipeline.networks.insightface_packs import load_pack_detector, load_pack_recogniser, role_of

SIDE, STRIDES, ANCHORS = 640, (8, 16, 32), 2
CELL, BOX, POINTS = (10, 8), (3.0, 4.0, 3.0, 4.0), (-1, -1, 1, -1, 0, 0, -1, 1, 1, 1)
"""Column and row of the one cell of stride 32 that holds a face; distances to its sides, and its points, in strides."""


def scrfd_shaped() -> onnx.ModelProto:
    """A graph with SCRFD's input and nine outputs that sees one face, always in the same place; its score follows the input."""
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, width in (("score", 1), ("box", 4), ("points", 10)):
        for stride in STRIDES:
            arrays[f"{name}_{stride}"] = np.zeros(((SIDE // stride) ** 2 * ANCHORS, width), np.float32)
    index = (CELL[1] * (SIDE // 32) + CELL[0]) * ANCHORS
    arrays["score_32"][index], arrays["box_32"][index], arrays["points_32"][index] = 0.9, BOX, POINTS
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0), helper.make_node("Mul", ["mean", "none"], ["nothing"])]
    nodes += [helper.make_node("Add", [f"{name}/fixed", "nothing"], [name]) for name in arrays]
    constants = [numpy_helper.from_array(array, f"{name}/fixed") for name, array in arrays.items()]
    constants.append(numpy_helper.from_array(np.float32(0), "none"))
    graph = helper.make_graph(
        nodes, "scrfd_shaped", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "H", "W"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(array.shape)) for name, array in arrays.items()], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    onnx.save(scrfd_shaped(), folder / "det_10g.onnx")
    shutil.copy(weight_path("face_recogniser"), folder / "w600k_r50.onnx")
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packs go to a folder of the test's."""
    folder = tmp_path / "shelf"
    monkeypatch.setattr(model_packs.add_pack, "__defaults__", (folder,))
    monkeypatch.setattr(model_packs.list_packs, "__defaults__", (folder,))
    monkeypatch.setattr(model_packs.find_pack, "__defaults__", (folder,))
    return folder


def test_roles(pack: Path) -> None:
    assert role_of(pack / "det_10g.onnx") == "detector"
    assert role_of(pack / "w600k_r50.onnx") == "recogniser"


@pytest.mark.parametrize("shape", [(640, 640), (300, 500), (1200, 700)])
def test_a_detector_answers_in_the_pictures_pixels(pack: Path, shape: tuple[int, int]) -> None:
    """The face's middle is the cell's corner in the input; a margin of 15 % and the picture's own scale lie between."""
    detector = load_pack_detector(pack / "det_10g.onnx", 0.5)
    (face,) = detector.detect(np.full((*shape, 3), 128, np.uint8))
    scale = 0.85 * SIDE / max(shape)
    shown = [(SIDE - side * scale) / 2 for side in shape]
    x, y = 32 * CELL[0], 32 * CELL[1]
    assert face.score == pytest.approx(0.9)
    assert face.box == pytest.approx(((x - 96 - shown[1]) / scale, (y - 128 - shown[0]) / scale, (x + 96 - shown[1]) / scale,
                                      (y + 128 - shown[0]) / scale), abs=2)
    assert face.eyes == pytest.approx(64 / scale, abs=1)


def test_a_pack_is_added_listed_and_used(pack: Path, shelf: Path, tmp_path: Path) -> None:
    refused = CliRunner().invoke(models, ["add", "insightface:buffalo_l", "--path", str(pack)])
    assert isinstance(refused.exception, Misconfigured)
    assert "--accept-licence" in refused.exception.detail
    assert not shelf.exists()

    done = CliRunner().invoke(models, ["add", "insightface:buffalo_l", "--accept-licence", "--path", str(pack)])
    assert done.exit_code == 0, done.output
    digest = load_manifest().weights["face_recogniser"].sha256
    assert f"recogniser: sha256 {digest}" in done.output
    assert (shelf / "insightface-buffalo_l" / f"{digest}.onnx").read_bytes() == weight_path("face_recogniser").read_bytes()
    assert "non-commercial" in json.loads((shelf / "insightface-buffalo_l" / "pack.json").read_text())["licence"]
    listed = CliRunner().invoke(models, ["list"])
    assert "insightface:buffalo_l recogniser" in listed.output
    assert "face_detector" in listed.output

    app = typer.Typer()
    app.command()(compare_faces_command)
    picture = str(weight_path("portrait_person_a_1"))
    (answer,) = [json.loads(line) for line in CliRunner().invoke(
        app, [picture, picture, "--pack", "insightface:buffalo_l", "--jsonl"]).stdout.splitlines()]
    assert answer["similarity"] == pytest.approx(1.0, abs=1e-3)
    assert (answer["threshold"], answer["outcome"]) == (None, None)

    kept = shelf / "insightface-buffalo_l" / f"{digest}.onnx"
    kept.write_bytes(b"changed")
    with pytest.raises(Misconfigured, match="SHA-256"):
        model_packs.find_pack("insightface:buffalo_l").path("recogniser")


@pytest.mark.parametrize(("name", "spoil", "says"), [
    ("buffalo_l", lambda folder: None, "no pack that is known"),
    ("insightface:../x", lambda folder: None, "no pack that is known"),
    ("insightface:buffalo_l", lambda folder: (folder / "det_10g.onnx").unlink(), "no detector"),
    ("insightface:buffalo_l", lambda folder: (folder / "w600k_r50.onnx").unlink(), "no recogniser"),
    ("insightface:buffalo_l", lambda folder: [path.unlink() for path in folder.iterdir()], "no .onnx file"),
    ("insightface:buffalo_l", lambda folder: (folder / "other.onnx").write_bytes(b"no graph"), "other.onnx does not load"),
    ("insightface:buffalo_l", lambda folder: shutil.copy(folder / "det_10g.onnx", folder / "again.onnx"), "both a detector"),
])
def test_what_is_no_pack_is_refused_by_name(pack: Path, shelf: Path, name: str, spoil, says: str) -> None:
    spoil(pack)
    with pytest.raises(Misconfigured, match=says):
        model_packs.add_pack(name, pack, role_of)
    assert not shelf.exists()


def test_a_pack_that_was_not_added(shelf: Path) -> None:
    with pytest.raises(Misconfigured, match="was not added: apoyo models add"):
        model_packs.find_pack("insightface:antelopev2")


def test_the_recogniser_embeds_as_our_own_session_does(pack: Path) -> None:
    face = np.asarray(cv2.resize(cv2.imread(str(weight_path("portrait_person_b_1"))), (112, 112)), dtype=np.uint8)
    a, b = load_pack_recogniser(pack / "w600k_r50.onnx").embed([face, face])
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert np.linalg.norm(a) == pytest.approx(1.0, abs=1e-5)
