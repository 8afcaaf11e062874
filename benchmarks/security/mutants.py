"""Deliberate holes, each put into a copy of the tree, where the test that is named must fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.security.door import Row

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands once in `file`, becomes `new`; `test` must then fail."""

    file: str
    old: str
    new: str
    test: str


NETWORKS = "tests/unit/test_hostile_networks.py::"
PICTURES = "tests/unit/test_hostile_pictures.py::"
MUTANTS = {
    "tensors in other files are allowed": Mutant(
        "models/onnx_file.py", "field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)", "False",
        NETWORKS + "test_a_pack_of_the_operator_s_is_looked_at_too"),
    "a weight's checksum is not compared": Mutant(
        "models/registry.py", "if found != sha256:", "if False:", NETWORKS + "test_a_flipped_bit_anywhere_is_another_file"),
    "a network's input is not compared with the manifest": Mutant(
        "pipeline/networks/local.py", "session.check_input(weight.inputs[0])", "pass",
        NETWORKS + "test_a_hostile_one_is_refused_by_name"),
    "photographs of any number of pixels": Mutant(
        "pipeline/domain/upload.py", "if width > MAX_SIDE or height > MAX_SIDE or width * height > pixels:", "if False:",
        PICTURES + "test_what_is_refused_is_refused_by_its_code"),
    "progressive JPEGs of any size": Mutant(
        "pipeline/domain/upload.py", "if facts.frame.coefficient_bytes() > MAX_COEFFICIENT_BYTES:", "if False:",
        PICTURES + "test_a_progressive_jpeg_is_as_large_as_its_coefficients"),
    "a PNG's other chunks reach the decoder": Mutant(
        "pipeline/stages/decode.py", 'only_pixels(data) if header.format == "png" else data', "data",
        PICTURES + "test_each_is_refused_or_decoded_in_bounded_memory_and_time"),
    "scans without bound": Mutant(
        "pipeline/domain/jpeg_markers.py", "if scans > MAX_SCANS:", "if False:",
        "tests/unit/test_upload.py::test_other_files_are_refused_with_their_code"),
    "parts without bound": Mutant(
        "api/multipart.py", "if name in self._parts:", "if False:",
        "tests/contract/test_api_refusals.py::test_a_bad_request_is_refused_and_leaves_nothing"),
    "headers without bound": Mutant(
        "api/wire.py", "if self._since > MAX_HEAD_BYTES and not self.transport.is_closing():", "if False:",
        "tests/system/test_hostile_door.py::test_a_head_that_is_too_long_is_a_problem_where_it_can_still_be_told"),
    "an old Pillow is locked": Mutant(
        "requirements.lock", "pillow==13.0.0", "pillow==12.2.0",
        "tests/unit/test_supply.py::test_every_lock_is_at_or_above_the_floors"),
    "weights are unpickled": Mutant(
        "models/registry.py", "import hashlib\n", "import hashlib\nimport pickle\n",
        "tests/unit/test_supply.py::test_nothing_in_the_tree_runs_code_while_it_reads"),
    "a webhook may reach any address": Mutant(
        "api/webhooks/addresses.py", "    return address.is_global and not", "    return True or not",
        "tests/unit/test_webhook_addresses.py"),
}


def put_in() -> Iterator[Row]:
    """One row a mutant: good where the test that is named fails for it, and passes without it."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "apoyo"
        _copy(copy)
        for test in sorted({mutant.test for mutant in MUTANTS.values()}):
            if not _passes(copy, test):
                yield Row(f"without any: {test}", "fails", good=False)
        for name, mutant in MUTANTS.items():
            file = copy / mutant.file
            text = file.read_text(encoding="utf-8")
            if text.count(mutant.old) != 1:
                yield Row(name, f"no longer fits {mutant.file}", good=False)
                continue
            file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
            caught = not _passes(copy, mutant.test)
            file.write_text(text, encoding="utf-8")
            yield Row(name, f"{'caught by' if caught else 'NOT caught by'} {mutant.test}", caught)


def _copy(copy: Path) -> None:
    """What git knows, and the weights that are made ready."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    for name in listed:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    (copy / "models/weights/derived").symlink_to(ROOT / "models/weights/derived")


def _passes(copy: Path, test: str) -> bool:
    places = [str(copy), *(place for place in sys.path if place and Path(place) != ROOT)]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", test], cwd=copy, capture_output=True, check=False,
                          timeout=SECONDS, env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(places), "HOME": str(copy)})
    return done.returncode == 0
