"""Rewrites leave outputs equal; what is made is what the manifest pins; failures say what to do."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from models import prepare as prepare_module
from models import registry
from models.fold import STEPS, serialise
from models.prepare import main, prepare
from models.registry import Asset, Manifest, Origin, Package
from pipeline.errors import Misconfigured


def quantised_conv(seed: int, block: int) -> onnx.ModelProto:
    """A convolution whose weight is block-quantised along axis 1, then reshaped, then PRelu; its weight also an input."""
    rng = np.random.default_rng(seed)
    blocks = -(-12 // block)
    tensors = {
        "w_q": rng.integers(-128, 128, (4, 12)).astype(np.int8),
        "w_s": rng.uniform(0.01, 0.1, (4, blocks)).astype(np.float32),
        "w_z": rng.integers(-5, 5, (4, blocks)).astype(np.int8),
        "w_shape": np.array([4, 3, 2, 2], np.int64),
        "slope": rng.uniform(-1, 1, (4, 1, 1)).astype(np.float32),
        "flat": np.array([1, 4, -1], np.int64),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w_d"], axis=1, block_size=block),
        helper.make_node("Reshape", ["w_d", "w_shape"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("PRelu", ["c", "slope"], ["p"]),
        helper.make_node("Dropout", ["p"], ["d"]),
        helper.make_node("Reshape", ["d", "flat"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 6]),
         helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 25])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), block=st.sampled_from([3, 4, 5, 6, 12]))
def test_folding_leaves_outputs_equal(seed: int, block: int) -> None:
    model = quantised_conv(seed, block)
    evaluated = onnx.ModelProto()
    evaluated.CopyFrom(model)
    del evaluated.graph.input[1]
    x = np.random.default_rng(seed + 1).normal(size=(1, 3, 6, 6)).astype(np.float32)
    (wanted,) = ReferenceEvaluator(evaluated).run(None, {"x": x})

    for step in ("fold", "prelu", "dropout", "batch"):
        STEPS[step](model)
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"DequantizeLinear", "PRelu", "Dropout"}
    assert [value.name for value in model.graph.input] == ["x"]
    evaluator = ReferenceEvaluator(onnx.load_from_string(serialise(model)))
    rounding = 1e-6 * max(1.0, float(np.abs(wanted).max()))  # of sums whose terms are as large as the largest output
    np.testing.assert_allclose(evaluator.run(None, {"x": x})[0], wanted, rtol=1e-6, atol=rounding)
    (pair,) = evaluator.run(None, {"x": np.concatenate([x, 2 * x])})
    assert pair.shape == (2, 4, 25)
    np.testing.assert_allclose(pair[0], wanted[0], rtol=1e-6, atol=rounding)


def test_same_graph_gives_same_bytes() -> None:
    made = []
    for _ in range(2):
        model = quantised_conv(7, 4)
        for step in ("fold", "prelu"):
            STEPS[step](model)
        made.append(serialise(model))
    assert made[0] == made[1]


@pytest.fixture
def portrait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Manifest, Path]:
    """A manifest of one file out of one archive, and the folder with the archive."""
    monkeypatch.setattr(registry, "ROOT", tmp_path / "models")
    cache = tmp_path / "cache"
    cache.mkdir()
    archive = cache / "some-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("some-1.0/a.txt")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    digest = hashlib.sha256(b"hello").hexdigest()
    asset = Asset("a", "derived/a.txt", digest, "s", "MIT", Origin("some", "a.txt", digest, ()))
    package = Package("some", "1.0", hashlib.sha256(archive.read_bytes()).hexdigest())
    return Manifest({"some": package}, {}, {"a": asset}), cache


def test_makes_what_is_missing_and_only_that(portrait: tuple[Manifest, Path], tmp_path: Path) -> None:
    manifest, cache = portrait
    lines: list[str] = []
    prepare(manifest, lines.append, cache)
    path = tmp_path / "models" / "derived" / "a.txt"
    assert path.read_bytes() == b"hello"
    before = path.stat().st_mtime_ns
    prepare(manifest, lines.append, tmp_path / "no such folder")
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"damaged")
    prepare(manifest, lines.append, cache)
    assert path.read_bytes() == b"hello"
    assert "ready" in lines[-1]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"package": {"sha256": "0" * 64}}, "another SHA-256"),
        ({"origin": {"sha256": "0" * 64}}, "has SHA-256"),
        ({"origin": {"member": "b.txt"}}, "does not hold"),
        ({"asset": {"sha256": "0" * 64}}, "what was made"),
        ({"origin": {"package": "other"}}, "pins no package"),
    ],
)
def test_anything_else_than_pinned_is_refused_and_nothing_is_written(
    portrait: tuple[Manifest, Path], tmp_path: Path, change: dict[str, dict[str, str]], error: str
) -> None:
    manifest, cache = portrait
    package = dataclasses.replace(manifest.packages["some"], **change.get("package", {}))
    origin = dataclasses.replace(manifest.assets["a"].derived_from, **change.get("origin", {}))
    asset = dataclasses.replace(manifest.assets["a"], derived_from=origin, **change.get("asset", {}))
    with pytest.raises(Misconfigured, match=error):
        prepare(Manifest({"some": package}, {}, {"a": asset}), lambda line: None, cache)
    assert not (tmp_path / "models" / "derived").exists()


def test_a_download_that_fails_says_what_to_do(portrait: tuple[Manifest, Path], tmp_path: Path, monkeypatch) -> None:
    manifest, _ = portrait
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "empty").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Misconfigured, match=r"pip could not download some==1\.0 .*--cache"):
        prepare(manifest, lambda line: None, tmp_path / "fresh")


def test_command_prints_one_line_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Manifest:
        raise Misconfigured("manifest.toml cannot be read")

    monkeypatch.setattr(prepare_module, "load_manifest", broken)
    assert main([]) == 1
    assert capsys.readouterr().err == "weights: manifest.toml cannot be read\n"
