"""A network that wants more than to be one is refused, though its SHA-256 be the manifest's; a changed byte is refused before."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from benchmarks.security.models import good_model, growing_model, hostile_models
from models.onnx_file import check_onnx
from models.registry import TensorSpec, Weight, checked_bytes, load_manifest
from pipeline.errors import Misconfigured
from pipeline.networks.api import Net
from pipeline.networks.insightface_packs import load_pack_recogniser
from pipeline.networks.local import LocalNetworks

SECRET = np.array([[1, 2, 3]], np.float32).tobytes()
MEMORY = 4 << 30


def networks_of(path: Path, data: bytes) -> LocalNetworks:
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return LocalNetworks({"locator": Weight("locator", str(path), digest, "drawn", "MIT", (TensorSpec("x", ("N", 3), "float32"),))})


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that a network could read, beside it and by its whole path."""
    for place in (tmp_path / "tensors.bin", tmp_path / "networks" / "tensors.bin"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(SECRET)
    return tmp_path / "tensors.bin"


def test_the_plain_one_runs(tmp_path: Path) -> None:
    (answer,) = networks_of(tmp_path / "n.onnx", good_model()).run(Net.LOCATOR, np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(answer, np.full((2, 3), 2, np.float32))


@pytest.mark.parametrize("case", hostile_models("/"))
def test_a_hostile_one_is_refused_by_name(case: str, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(outside.parent / "networks")
    data, said = hostile_models(str(outside))[case]
    with pytest.raises(Misconfigured, match=said):
        networks_of(outside.parent / "networks" / "n.onnx", data).run(Net.LOCATOR, np.ones((1, 3), np.float32))


def test_none_of_them_takes_the_memory_that_it_asks_for(outside: Path) -> None:
    """All of them in a process whose address space is bounded: refused there too, and nothing is killed."""
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.test_hostile_networks import refusals\n"
        "print(refusals(Path(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(outside)], capture_output=True, text=True, check=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)), cwd=Path(__file__).parents[2],
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert (done.returncode, done.stdout.strip()) == (0, str(len(hostile_models("/")))), done.stderr[-2000:]


def refusals(outside: Path) -> int:
    """How many are refused; the one that only its run shows for what it is fails at that, with an error and no more."""
    refused = 0
    try:
        networks_of(outside.parent / "n.onnx", growing_model()).run(Net.LOCATOR, np.ones((1, 3), np.float32))
    except Fail as error:
        assert "Failed to allocate memory" in str(error)
    else:
        raise AssertionError("twelve terabytes were given")
    for data, _ in hostile_models(str(outside)).values():
        try:
            networks_of(outside.parent / "n.onnx", data).run(Net.LOCATOR, np.ones((1, 3), np.float32))
        except Misconfigured:
            refused += 1
    return refused


def test_a_pack_of_the_operator_s_is_looked_at_too(outside: Path) -> None:
    path = outside.parent / "pack.onnx"
    path.write_bytes(hostile_models(str(outside))["tensor in an absolute path"][0])
    with pytest.raises(Misconfigured, match="another file"):
        load_pack_recogniser(path)


@given(st.data())
def test_a_flipped_bit_anywhere_is_another_file(draw: st.DataObject) -> None:
    weight = min(load_manifest().weights.values(), key=lambda one: one.path.stat().st_size)
    data = bytearray(weight.path.read_bytes())
    data[draw.draw(st.integers(0, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with tempfile.NamedTemporaryFile(suffix=".onnx") as flipped:
        flipped.write(data)
        flipped.flush()
        with pytest.raises(Misconfigured, match="SHA-256"):
            checked_bytes(Path(flipped.name), weight.sha256)


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_a_plain_file_or_refused(noise: bytes, at: int) -> None:
    """And what is not refused holds, for the library that made the format, nothing that is."""
    data = good_model()
    spoiled = data[:at % len(data)] + noise + data[at % len(data):]
    try:
        check_onnx("n.onnx", spoiled)
    except Misconfigured:
        return
    try:
        model = onnx.load_from_string(spoiled)
    except DecodeError:  # what the library cannot read is no network
        return
    assert not any(onnx.external_data_helper.uses_external_data(tensor) for tensor in model.graph.initializer)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
