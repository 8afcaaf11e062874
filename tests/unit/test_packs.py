"""Evidence packs: judged again with the same verdict, by what was frozen; and no byte of one can be changed unseen."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from models.registry import load_calibration
from pipeline.cli.main import app
from pipeline.domain.calibration import Calibration
from pipeline.domain.process import DEMO_PROCESS
from pipeline.domain.reuse import Reuse, Seen
from pipeline.errors import BadInput
from pipeline.packs import file as pack_file
from pipeline.packs.file import read_pack
from pipeline.packs.frozen import of_bytes, to_bytes

CASES = ("good", "other_face", "blurred_back")
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def packs(cases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Each case's pack, and what was answered when it was made."""
    out = tmp_path_factory.mktemp("packs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APOYO_STORAGE__DATA_DIR", str(out / "var"))
        done = CliRunner().invoke(app, ["verify", *(str(cases[case]) for case in CASES), "--jsonl", "--packs", str(out)])
    assert done.exit_code == 0, done.output
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {case: (out / f"{cases[case].name}.apoyo", answer) for case, answer in zip(CASES, answers, strict=True)}


def again(path: Path, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["verify", str(path), "--jsonl", *options])
    assert done.exit_code == 0, done.output
    resource: dict[str, Any] = json.loads(done.stdout)
    return resource


@pytest.mark.parametrize("case", CASES)
def test_a_pack_gets_the_verdict_that_was_signed(packs: dict[str, tuple[Path, dict[str, Any]]], case: str) -> None:
    path, answer = packs[case]
    judged = again(path)
    told = judged.pop("pack")
    assert (told["same_verdict"], told["other_networks"]) == (True, [])
    assert len(told["signed_by"]) == 64
    own = ("source", "timings_ms")
    assert {key: value for key, value in judged.items() if key not in own} == {
        key: value for key, value in answer.items() if key not in own}
    assert judged["source"] == str(path)


def test_what_the_pack_froze_counts_and_not_the_options(packs: dict[str, tuple[Path, dict[str, Any]]], tmp_path: Path) -> None:
    path, answer = packs["good"]
    other = tmp_path / "strict.toml"
    other.write_text('id = "strict"\naccepted_models = ["J"]\n')
    judged = again(path, "--as-of", "2099-01-01", "--process", str(other))
    assert (judged["as_of"], judged["process"], judged["verdict"]) == (answer["as_of"], "demo", "accepted")


def test_thresholds_of_later_do_not_count(packs: dict[str, tuple[Path, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds = dict(load_calibration().thresholds)
    thresholds["face.match"] = replace(thresholds["face.match"], value=0.99)
    monkeypatch.setattr("models.registry.load_calibration", lambda: Calibration(thresholds))
    assert again(packs["good"][0])["verdict"] == "accepted"


def test_a_pack_of_before_a_threshold_was_is_judged_by_the_one_of_now(packs: dict[str, tuple[Path, dict[str, Any]]],
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    read = pack_file.read_pack

    def older(path: Path) -> pack_file.Pack:
        pack = read(path)
        known = {name: one for name, one in pack.frozen.calibration.thresholds.items() if not name.startswith("face.")}
        return replace(pack, frozen=replace(pack.frozen, calibration=Calibration(known)))

    monkeypatch.setattr(pack_file, "read_pack", older)
    judged = again(packs["good"][0])
    assert (judged["verdict"], judged["pack"]["same_verdict"]) == ("accepted", True)


def test_a_pack_holds_pictures_of_its_evidence_and_is_private(packs: dict[str, tuple[Path, dict[str, Any]]]) -> None:
    path, answer = packs["good"]
    with zipfile.ZipFile(path) as pack:
        names = set(pack.namelist())
    assert {f"evidence/{name}.jpg" for name in ("front", "back", "mrz", "portrait", "ghost", "selfie_face")} <= names
    assert len([name for name in names if name.startswith("evidence/code_")]) == len(answer["codes"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def flipped(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    return change


def judged_otherwise(files: Files) -> None:
    files["verdict.json"] = files["verdict.json"].replace(b'"accepted"', b'"rejected"')


def signed_by_nobody(files: Files) -> None:
    told = json.loads(files["signature.json"])
    files["signature.json"] = json.dumps({**told, "signature": "00" * 64}).encode()


def key_of_another(files: Files) -> None:
    told = json.loads(files["signature.json"])
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    files["signature.json"] = json.dumps({**told, "key": other}).encode()


def without(name: str) -> Callable[[Files], None]:
    return lambda files: files.pop(name) and None


def also(name: str) -> Callable[[Files], None]:
    return lambda files: files.update({name: b"{}"})


CHANGES: list[tuple[Callable[[Files], None], str]] = [
    (flipped("captures/front.jpg"), "pack_changed"), (flipped("evidence/mrz.jpg"), "pack_changed"),
    (flipped("captures/support.json"), "pack_changed"), (flipped("pack.json"), "pack_changed"), (judged_otherwise, "pack_changed"),
    (signed_by_nobody, "pack_changed"), (key_of_another, "pack_changed"), (without("captures/selfie.jpg"), "pack_changed"),
    (without("evidence/front.jpg"), "pack_changed"), (also("evidence/extra.jpg"), "pack_changed"), (without("pack.json"), "bad_pack"),
    (without("signature.json"), "bad_pack"), (also("../outside.json"), "bad_pack"), (also("evidence/x.exe"), "bad_pack"),
]


@pytest.mark.parametrize(("change", "code"), CHANGES)
def test_no_byte_changes_unseen(packs: dict[str, tuple[Path, dict[str, Any]]], tmp_path: Path, change: Callable[[Files], None],
                                code: str) -> None:
    with zipfile.ZipFile(packs["good"][0]) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    change(files)
    changed = tmp_path / "changed.apoyo"
    with zipfile.ZipFile(changed, "w") as pack:
        for name, data in files.items():
            pack.writestr(name, data)
    assert again(changed)["error"]["code"] == code


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"no zip at all"])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.apoyo").write_bytes(data)
    assert again(tmp_path / "x.apoyo")["error"]["code"] == "bad_pack"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_file, "MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "x.apoyo", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("pack.json", b"0" * (2 << 20))
    with pytest.raises(BadInput, match="MiB"):
        read_pack(tmp_path / "x.apoyo")


def test_what_is_frozen_comes_back_equal(packs: dict[str, tuple[Path, dict[str, Any]]]) -> None:
    frozen = read_pack(packs["good"][0]).frozen
    assert frozen.policy == DEMO_PROCESS
    assert frozen.calibration == load_calibration()
    reuse = Reuse(Seen.NOWHERE, Seen.OTHER_APPLICANT, None, Seen.SAME_APPLICANT, data_differ=True)
    changed = replace(frozen, reuse=reuse, policy=replace(DEMO_PROCESS, states=frozenset({"09", "01"}), max_retakes=2))
    assert of_bytes(to_bytes(changed)) == changed
    with pytest.raises(BadInput, match="format"):
        of_bytes(to_bytes(replace(frozen, format="apoyo-pack-9")))
