"""ONNX Runtime behind its one door, and the networks of this process."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.registry import TensorSpec, Weight, load_manifest
from pipeline.domain.plan import Device
from pipeline.errors import Misconfigured
from pipeline.networks.api import Net
from pipeline.networks.local import LocalNetworks
from pipeline.networks.session import Session, available_devices
from pipeline.wiring import local_networks


@pytest.fixture
def doubling(tmp_path: Path) -> Weight:
    """A network that says x + x."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Weight("locator", str(path), digest, "drawn here", "MIT", (TensorSpec("x", ("N", 3), "float32"),))


def test_runs_a_batch_of_any_length(doubling: Weight) -> None:
    networks = LocalNetworks({"locator": doubling})
    for count in (1, 2, 3, 8, 13):
        batch = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
        (output,) = networks.run(Net.LOCATOR, batch)
        np.testing.assert_array_equal(output, 2 * batch)
    assert networks.digests() == {"locator": doubling.sha256}


def test_threads_load_a_network_once_and_get_their_own_answers(doubling: Weight) -> None:
    networks = LocalNetworks({"locator": doubling})
    wrong: list[int] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(10)
        for turn in range(50):
            batch = np.full((2, 3), number * 1000 + turn, np.float32)
            if not np.array_equal(networks.run(Net.LOCATOR, batch)[0], 2 * batch):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


def test_a_network_outside_the_manifest_is_refused_when_it_is_run(doubling: Weight) -> None:
    networks = LocalNetworks({"locator": doubling})
    with pytest.raises(Misconfigured, match="mrz_reader"):
        networks.run(Net.MRZ_READER, np.zeros((1, 3), np.float32))


@pytest.mark.parametrize(
    ("damage", "error"),
    [(lambda data: data[:-1] + b"\0", "SHA-256"), (None, "make weights")],
)
def test_a_changed_or_missing_file_is_refused(doubling: Weight, damage: object, error: str) -> None:
    if callable(damage):
        doubling.path.write_bytes(damage(doubling.path.read_bytes()))
    else:
        doubling.path.unlink()
    with pytest.raises(Misconfigured, match=error):
        LocalNetworks({"locator": doubling}).run(Net.LOCATOR, np.zeros((1, 3), np.float32))


def test_bytes_that_are_no_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(Misconfigured, match="does not load"):
        Session(path, hashlib.sha256(b"not a graph").hexdigest())


@pytest.mark.parametrize("device", [Device.CUDA, Device.TENSORRT])
def test_a_device_that_is_not_there_is_refused_and_not_replaced(doubling: Weight, device: Device) -> None:
    if device in available_devices():
        pytest.skip(f"this ONNX Runtime was built for {device}")
    with pytest.raises(Misconfigured, match=device.value) as refused:
        Session(doubling.path, doubling.sha256, device)
    assert refused.value.code == "plan_no_provider"


def test_warm_runs_the_networks_of_the_manifest() -> None:
    networks = LocalNetworks(load_manifest().weights)
    networks.warm([Net.FACE_DETECTOR])
    assert networks.digests().keys() == load_manifest().weights.keys()


def test_recogniser_gives_each_face_the_same_answer_alone_and_in_a_batch() -> None:
    faces = np.random.default_rng(4).integers(0, 256, (3, 3, 112, 112)).astype(np.float32)
    networks = local_networks()
    (together,) = networks.run(Net.FACE_RECOGNISER, faces)
    alone = np.concatenate([networks.run(Net.FACE_RECOGNISER, faces[k : k + 1])[0] for k in range(3)])
    assert together.shape == (3, 128)
    np.testing.assert_allclose(together, alone, atol=1e-5)
