"""Deliberate holes, each put into a copy of the tree, where the test that is named must fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TypeVar

from benchmarks.security.door import Row
from pipeline.settings import available_cores

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240
SERVERS = "/usr/local/bin:/usr/sbin"
"""Where a proxy may be installed."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old`, which stands once in `file`, becomes `new`; `test` must then fail."""

    file: str
    old: str
    new: str
    test: str


NETWORKS = "tests/unit/test_hostile_networks.py::"
PICTURES = "tests/unit/test_hostile_pictures.py::"
KEYS = "tests/contract/test_client_keys.py::"
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
    "what was read from a card is logged": Mutant(
        "pipeline/worker.py", "            verdict = judge.decide(evidence, context)\n",
        "            verdict = judge.decide(evidence, context)\n"
        "            read = support_resource(heading_of(record), evidence, verdict, context)\n"
        "            self._log.info('read', fields=str(read['fields']))\n",
        "tests/system/test_leaks.py::test_nothing_is_in_plain_while_it_runs_nor_after"),
    "`alg: none` is taken": Mutant(
        "api/identity/jose.py", '    if token.header.get("alg") != algorithm_of(key):',
        '    if token.header.get("alg") == "none":\n        return\n    if token.header.get("alg") != algorithm_of(key):',
        KEYS + "test_what_is_not_quite_that_is_nobodys"),
    "whom an assertion is for is not looked at": Mutant(
        "api/identity/client_proof.py", 'if claims["aud"] not in (self._url, [self._url]):', "if False:",
        KEYS + "test_what_is_not_quite_that_is_nobodys"),
    "whom a provider's token is for is not looked at": Mutant(
        "api/identity/providers.py", "if not isinstance(audience, str) or audience not in self.audiences:", "if False:",
        "tests/contract/test_providers.py"),
    "a `jti` is forgotten": Mutant(
        "pipeline/records/device_proofs.py", "    if added.first() is None:", "    if False:",
        KEYS + "test_of_fifty_at_once_one_is_taken"),
    "a certificate is believed whoever tells it": Mutant(
        "api/identity/client_proof.py", "return any(address in network for network in self._proxies)", "return True",
        KEYS + "test_the_api_takes_assertions_once_and_certificates_from_the_proxies_alone"),
    "a proxy passes on what a client says of its certificate": Mutant(
        "k8s/proxy/haproxy.cfg", "    http-request del-header Client-Cert\n", "", "tests/system/test_mutual_tls.py"),
    "a clock that was set back holds what waits": Mutant(
        "pipeline/records/tables.py", "or_(moment <= now_ms(), moment > now_ms() + 1000 * longest_seconds)",
        "(moment <= now_ms())",
        "tests/contract/test_records_leases.py::test_a_clock_that_was_set_back_holds_nothing"),
    "a phone's token lives as long as a wrong clock says": Mutant(
        "api/identity/tokens.py", "not now < expires <= now + self._seconds + AHEAD_SECONDS", "expires <= now",
        "tests/contract/test_clocks.py::test_a_phone_s_token_by_a_process_with_another_clock_does_not_live_longer"),
    "a restored backup keeps the wrapped keys of what was erased": Mutant(
        "pipeline/cli/upkeep.py", "apply_again(open_storage(settings), receipts)", "apply_again(open_storage(settings), [])",
        "tests/system/test_backup.py::test_what_was_erased_after_the_copy_does_not_come_back_with_it"),
    "the result tells a neighbour": Mutant(
        "pipeline/worker.py", "            whom = [asdict(one)",
        "            resource['alike'] = [asdict(one) for one in looked.neighbours]\n            whom = [asdict(one)",
        "tests/contract/test_reuse.py::test_the_desk_s_record_names_the_neighbours_and_the_result_does_not"),
    "how like a neighbour's face is, is told": Mutant(
        "pipeline/checks/reuse.py", '"a like face was seen on another card")', '"a like face was seen on another card", 0.61)',
        "tests/contract/test_reuse.py::test_the_desk_s_record_names_the_neighbours_and_the_result_does_not"),
    "another phone's support is shown": Mutant(
        "api/supports/service.py", "if device is not None:\n            demand_sent_by", "if False:\n            demand_sent_by",
        "tests/contract/test_absent.py::test_another_phone_s_costs_what_nothing_costs"),
}


def put_in() -> Iterator[Row]:
    """One row a mutant: good where the test that is named fails for it, and passes without it. A copy of the tree a core."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(available_cores()) as pool:
        copies: Queue[Path] = Queue()
        Path(folder).chmod(0o711)  # a database that runs as nobody has its files below
        for number in range(available_cores()):
            copies.put(Path(folder) / f"{number}" / "apoyo")
            _copy(copies.queue[-1])
        tests = sorted({mutant.test for mutant in MUTANTS.values()})
        for test, passes in zip(tests, pool.map(lambda one: _in_a_copy(copies, _passes, one), tests), strict=True):
            if not passes:
                yield Row(f"without any: {test}", "fails", good=False)
        yield from pool.map(lambda named: _in_a_copy(copies, _tried, *named), MUTANTS.items())


def _in_a_copy(copies: Queue[Path], do: Callable[..., T], *what: object) -> T:
    copy = copies.get()
    try:
        return do(copy, *what)
    finally:
        copies.put(copy)


def _tried(copy: Path, name: str, mutant: Mutant) -> Row:
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        return Row(name, f"no longer fits {mutant.file}", good=False)
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    caught = not _passes(copy, mutant.test)
    file.write_text(text, encoding="utf-8")
    return Row(name, f"{'caught by' if caught else 'NOT caught by'} {mutant.test}", caught)


def _copy(copy: Path) -> None:
    """What git knows; and, linked, what `make weights` made ready."""
    for name in _listed("--cached", "--others", "--exclude-standard"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    for name in _listed("--others", "--ignored", "--exclude-standard", "models"):
        if "__pycache__" not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).symlink_to(ROOT / name)


def _listed(*which: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *which], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def _passes(copy: Path, test: str) -> bool:
    places = [str(copy), *(place for place in sys.path if place and Path(place) != ROOT)]
    beside = copy.parent / "t"  # of its own, for a search for leaks finds what another run draws in a common one
    beside.mkdir(exist_ok=True)
    environment = {"PATH": f"{os.defpath}:{SERVERS}", "PYTHONPATH": os.pathsep.join(places), "HOME": str(copy),
                   "TMPDIR": str(beside)}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", test], cwd=copy, env=environment, capture_output=True,
                          text=True, check=False, timeout=SECONDS)
    return done.returncode == 0 and " skipped" not in done.stdout
