"""`apoyo read-mrz`: a line a file, whatever the file is."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from tests.unit.drawn_text import paper
from tests.unit.test_read_mrz import UTOPIA_TD3, back, lines_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def answers(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(app, ["read-mrz", "--jsonl", *arguments])
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_good_bad_and_empty_pictures_each_get_their_line(tmp_path: Path) -> None:
    card, page, blank, words = (tmp_path / name for name in ("card.png", "page.webp", "blank.jpg", "words.jpg"))
    cv2.imwrite(str(card), back(lines_of(2), 2))
    cv2.imwrite(str(page), cv2.rotate(back(UTOPIA_TD3, 3), cv2.ROTATE_90_CLOCKWISE))
    cv2.imwrite(str(blank), paper(4))
    words.write_text("no picture")
    found = answers(*map(str, (card, page, blank, words, tmp_path / "missing.png")))
    assert [answer["source"] for answer in found] == [str(path) for path in (card, page, blank, words, tmp_path / "missing.png")]
    assert found[0]["mrz"] == {"format": "TD1", "lines": list(lines_of(2)), "valid": True}
    assert found[1]["mrz"] == {"format": "TD3", "lines": list(UTOPIA_TD3), "valid": True}
    assert found[2] == {"source": str(blank), "mrz": None}
    assert all(answer["mrz"] is None and set(answer["error"]) == {"code", "detail"} for answer in found[3:])  # type: ignore[call-overload]


def test_people_read_lines_and_reasons(tmp_path: Path) -> None:
    card, words = tmp_path / "card.png", tmp_path / "words.jpg"
    cv2.imwrite(str(card), back(lines_of(5), 5))
    words.write_text("no picture")
    shown = CliRunner().invoke(app, ["read-mrz", str(card), str(words)]).stdout
    assert all(line in shown for line in lines_of(5))
    assert "check digits hold" in shown
    assert "error" in shown


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not beside this checkout")
def test_specimens_of_other_states() -> None:
    manifest = json.loads((SHARED / "manifest.json").read_text())
    rows = manifest if isinstance(manifest, list) else manifest["files"]
    wanted = [(row["file"], row["expect"]) for row in rows if row["file"].startswith("mrz/")]
    assert wanted
    found = answers(*(str(SHARED / name) for name, _ in wanted))
    assert [answer["mrz"] for answer in found] == [
        {"format": expect["type"], "lines": expect["mrz"], "valid": True} for _, expect in wanted]
