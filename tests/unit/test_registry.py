"""The manifest, the files it pins, and the thresholds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.registry import checked_bytes, load_calibration, load_manifest, read_calibration, read_manifest, weight_path
from pipeline.errors import Misconfigured
from pipeline.networks.api import Net

GOOD = {"a.limit": {"value": 0.5, "unit": "cosine", "source": "100 pairs, 1 wrong"}}


def entry(**changes: str) -> str:
    rows = {"name": "n", "file": "weights/n.onnx", "sha256": "0" * 64, "source": "s", "licence": "MIT"} | changes
    lines = "".join(f'{key} = "{value}"\n' for key, value in rows.items())
    return f'[[network]]\n{lines}inputs = [{{ name = "x", shape = ["N", 3], dtype = "float32" }}]\n'


def test_manifest_of_this_release_is_whole() -> None:
    manifest = load_manifest()
    assert {"face_detector", "face_recogniser", "ppocr_reader", "ppocr_detector"} <= set(manifest.weights)
    assert set(manifest.weights) <= {str(net) for net in Net}
    for weight in manifest.weights.values():
        assert weight.inputs[0].shape[0] == "N"
        assert weight.source
        assert weight.licence
    for item in manifest.entries:
        assert item.derived_from is None or item.derived_from.package in manifest.packages


@pytest.mark.parametrize("name", sorted(load_manifest().weights))
def test_each_weight_is_ready_and_says_its_own_inputs(name: str) -> None:
    weight = load_manifest().weights[name]
    model = onnx.load(weight_path(name))
    (graph_input,) = model.graph.input
    spec = weight.inputs[0]
    assert graph_input.name == spec.name
    dims = graph_input.type.tensor_type.shape.dim
    assert [dim.dim_value or "free" for dim in dims] == [side if isinstance(side, int) else "free" for side in spec.shape]
    assert np.dtype(helper.tensor_dtype_to_np_dtype(graph_input.type.tensor_type.elem_type)) == np.dtype(spec.dtype)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (entry(), None),
        (entry() + entry(), "names n twice"),
        (entry(sha256="abc"), "SHA-256 of n"),
        (entry().replace("licence", "license"), "licence"),
        ("[[network]\n", "cannot be read"),
    ],
)
def test_manifest_table(tmp_path: Path, text: str, error: str | None) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    if error is None:
        assert read_manifest(path).weights["n"].inputs[0].shape == ("N", 3)
        return
    with pytest.raises(Misconfigured, match=error):
        read_manifest(path)


def test_missing_and_changed_files_name_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "alphabet.txt"
    with pytest.raises(Misconfigured, match="make weights"):
        checked_bytes(path, "0" * 64)
    path.write_bytes(b"weights")
    assert checked_bytes(path, hashlib.sha256(b"weights").hexdigest()) == b"weights"
    path.write_bytes(b"weightz")
    with pytest.raises(Misconfigured, match="make weights"):
        checked_bytes(path, hashlib.sha256(b"weights").hexdigest())


def test_unknown_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no_such_network"):
        weight_path("no_such_network")


def test_external_data_is_refused_even_with_the_right_digest(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((4, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], [weight],
    )
    model = helper.make_model(graph)
    inside, outside = tmp_path / "inside.onnx", tmp_path / "outside.onnx"
    onnx.save(model, inside)
    onnx.save(model, outside, save_as_external_data=True, location="tensors.bin", size_threshold=0)
    assert checked_bytes(inside, hashlib.sha256(inside.read_bytes()).hexdigest())
    with pytest.raises(Misconfigured, match="single-file"):
        checked_bytes(outside, hashlib.sha256(outside.read_bytes()).hexdigest())


def test_calibration_of_this_release_loads() -> None:
    calibration = load_calibration()
    assert all(threshold.source for threshold in calibration.thresholds.values())


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a.json": GOOD, "b.json": {"b.limit": GOOD["a.limit"]}}, None),
        ({"a.json": GOOD, "b.json": GOOD}, "again"),
        ({"a.json": {"a.limit": {"value": 0.5, "unit": "cosine"}}}, "source"),
        ({"a.json": {"a.limit": {"value": 0.5, "unit": "cosine", "source": " "}}}, "in words"),
        ({"a.json": {"a.limit": {"value": "0.5", "unit": "cosine", "source": "s"}}}, "number"),
        ({"a.json": {"a.limit": {"value": True, "unit": "cosine", "source": "s"}}}, "number"),
        ({"a.json": {"a.limit": 0.5}}, "exactly"),
    ],
)
def test_calibration_table(tmp_path: Path, files: dict[str, object], error: str | None) -> None:
    for name, rows in files.items():
        (tmp_path / name).write_text(json.dumps(rows))
    if error is None:
        calibration = read_calibration(tmp_path)
        assert calibration["a.limit"] == calibration["b.limit"] == 0.5
        return
    with pytest.raises(Misconfigured, match=error):
        read_calibration(tmp_path)


def test_a_threshold_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    one = json.dumps(GOOD)[1:-1]
    (tmp_path / "a.json").write_text("{" + one + "," + one + "}")
    with pytest.raises(Misconfigured, match="twice"):
        read_calibration(tmp_path)
