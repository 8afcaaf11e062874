"""The quick guide's whole way through the real service: sign-in, code by mail, support, verdict; and nothing of it in plain anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.cli.guide import DATA, EMAIL, MAIL, run_guide
from tests.specimens import SEED

pytestmark = pytest.mark.system


def test_the_guide_s_way_ends_in_an_accepted_support(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guide(tmp_path, SEED)
    steps = capsys.readouterr().out
    for came in ("device_proof_other_key", "a token for 900 s", "activation_confirmed", "device_proof_replayed", "accepted after"):
        assert came in steps
    code = "".join(re.findall(r"código de activación es: (\d{4}) (\d{4})", steps)[0])
    kept = {path: path.read_bytes() for path in [tmp_path / "guide-service.log", *(tmp_path / DATA).rglob("*")] if path.is_file()}
    assert len(kept) > 5
    for secret in (EMAIL, code, f"{code[:4]} {code[4:]}"):
        assert not [path for path, data in kept.items() if secret.encode() in data]
    mails = b"".join(path.read_bytes() for path in (tmp_path / MAIL).glob("*.eml"))
    assert EMAIL.encode() in mails  # the search finds what is there
