"""`apoyo locate`: one answer a file, whatever is wrong with the others."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.stages.geometry import quad_iou

CARD = np.array([[420, 300], [1580, 360], [1540, 1120], [400, 1040]], float)


def photo(path: Path, orientation: int = 1) -> None:
    """A printed white card on a dark desk, as a JPEG with an EXIF orientation."""
    rng = np.random.default_rng(1)
    flat = np.full((540, 856, 3), 230, np.uint8)
    flat[60:400, 40:300] = cv2.resize(rng.integers(60, 200, (9, 7, 3)).astype(np.uint8), (260, 340), interpolation=cv2.INTER_CUBIC)
    for line in range(9):
        cv2.putText(flat, "APELLIDO NOMBRE 0123", (330, 80 + 48 * line), cv2.FONT_HERSHEY_SIMPLEX, 1, (50, 50, 50), 2)
    source = np.array([[-0.5, -0.5], [855.5, -0.5], [855.5, 539.5], [-0.5, 539.5]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, CARD.astype(np.float32))
    view = cv2.resize(rng.uniform(50, 80, (9, 12, 3)).astype(np.float32), (2000, 1500), interpolation=cv2.INTER_CUBIC)
    cover = cv2.warpPerspective(np.ones((540, 856), np.float32), matrix, (2000, 1500))[..., None]
    view = cv2.warpPerspective(flat, matrix, (2000, 1500), borderMode=cv2.BORDER_REPLICATE) * cover + view * (1 - cover)
    upright = cv2.GaussianBlur(view, (0, 0), 0.8).clip(0, 255).astype(np.uint8)
    stored = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE) if orientation == 6 else upright
    _, coded = cv2.imencode(".jpg", stored)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
    data = coded.tobytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])


def run(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["locate", *arguments])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_one_json_object_a_file_and_a_bad_file_stops_nobody(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "turned.jpg", 6)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    _, flat = cv2.imencode(".png", np.full((600, 800, 3), 128, np.uint8))
    (tmp_path / "flat.png").write_bytes(flat.tobytes())
    names = ["bad.jpg", "a.jpg", "missing.jpg", "turned.jpg", "flat.png"]
    answers = [json.loads(line) for line in run(*(str(tmp_path / n) for n in names), "--jsonl")]
    assert [Path(answer["source"]).name for answer in answers] == names
    assert answers[0]["error"]["code"] == "bad_picture.format"
    assert answers[2]["error"]["code"] == "unreadable_file"
    assert [answers[i]["outcome"] for i in (1, 3, 4)] == ["found", "found", "none"]
    for i in (1, 3):
        assert quad_iou(np.array(answers[i]["corners"]), CARD) > 0.99
    assert answers[4]["corners"] is None


def test_a_line_for_people_and_a_ratio_out_of_range(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (line,) = run(str(tmp_path / "a.jpg"))
    assert "found" in line
    assert line.count("(") == 4
    assert CliRunner().invoke(app, ["locate", str(tmp_path / "a.jpg"), "--ratio", "0.5"]).exit_code == 2
