"""Versions against their floors, no pickle in the tree, and the native libraries that wheels carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.security.supply import LOCKS, ROOT, below_floors, locked, native_libraries, unpicklers, version


def test_every_lock_is_at_or_above_the_floors() -> None:
    rows = list(below_floors())
    assert [row for row in rows if not row.good] == []
    assert {"pillow", "ray", "onnx", "opencv-python-headless", "python-multipart"} <= {row.name.split()[0] for row in rows}


@pytest.mark.parametrize(("had", "pinned"), [("pillow", "12.1.0"), ("ray", "2.51.2"), ("onnx", "1.20.9"), ("python-multipart", "0.0.26")])
def test_an_older_one_is_seen(tmp_path: Path, had: str, pinned: str) -> None:
    for lock in LOCKS:
        (tmp_path / lock).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / lock).write_text(f"{had}=={pinned} \\\n    --hash=sha256:0\n")
    assert {row.good for row in below_floors(tmp_path)} == {False}


@pytest.mark.parametrize(("less", "more"), [("2.9", "2.54.0"), ("0.0.9", "0.0.27"), ("4.12.0", "5.0.0.93"), ("1.21.0", "1.21.0.post1")])
def test_versions_are_numbers(less: str, more: str) -> None:
    assert version(less) < version(more)


def test_the_lock_is_read() -> None:
    assert locked(ROOT / "requirements.lock")["pillow"].startswith("1")


def test_nothing_in_the_tree_runs_code_while_it_reads() -> None:
    assert list(unpicklers()) == []


@pytest.mark.parametrize(("text", "seen"), [
    ("import pickle", True), ("from cloudpickle import loads", True), ("import joblib as j", True), ("import json", False),
    ("import numpy as np\nnp.load('x', allow_pickle=True)", True), ("import numpy as np\nnp.load('x', allow_pickle=False)", False),
    ("import numpy as np\nnp.load('x', allow_pickle=maybe)", True), ("import torch\ntorch.load('x')", True),
    ("import torch\ntorch.load('x', weights_only=True)", False), ("def f():\n    import marshal", True)])
def test_what_would_is_seen(tmp_path: Path, text: str, seen: bool) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "one.py").write_text(text)
    assert bool(list(unpicklers(tmp_path))) is seen


def test_native_libraries_are_listed_with_their_versions() -> None:
    listed = {row["package"].lower(): row for row in native_libraries()}
    assert {"pillow", "opencv-python-headless", "onnxruntime", "numpy", "zxing-cpp", "simplejpeg"} <= set(listed)
    assert {"libwebp", "libtiff", "libpng16"} <= {library["name"] for library in listed["pillow"]["bundled"]}
    assert all(library["version"] for library in listed["pillow"]["bundled"])
    assert {"jpeg", "png"} <= set(listed["opencv-python-headless"]["built_in"])
