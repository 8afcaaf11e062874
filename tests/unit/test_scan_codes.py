"""Codes in any picture, and `apoyo read-codes` over good, bad and missing files."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cli.read_codes import read_codes_command, read_one
from pipeline.domain.evidence import Symbology
from pipeline.stages.scan_codes import Enhance, Look, look, near, scan, scan_picture
from tests.unit.drawn_backs import back_e, blank, blurred, code128, paste, pdf417, qr

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def placed(image, text="A-1", side_mm=14.0, x=30.0, y=15.0):
    paste(image, qr(text, side_mm), x, y)
    return image


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_corners_follow_the_symbol(turns):
    picture = np.rot90(placed(blank()), -turns)  # clockwise
    (code,) = scan_picture(np.ascontiguousarray(picture))
    inner = 14 * 20 * 4 / 29  # quiet zone of four modules of 21 + 8
    expected = np.array([[600 + inner, 300 + inner], [880 - inner, 300 + inner], [880 - inner, 580 - inner], [600 + inner, 580 - inner]])
    width, height = 1712, 1080
    for _ in range(turns):
        expected = np.stack([height - expected[:, 1], expected[:, 0]], axis=1)
        width, height = height, width
    assert np.abs(code.corners - expected).max() < 8
    assert code.text == "A-1" and code.modules == 21


@pytest.mark.parametrize("change", [
    lambda image: 255 - image, lambda image: blurred(image, 5), lambda image: (image.astype(float) * 0.15).astype(np.uint8),
    lambda image: cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA),
], ids=["light on dark", "blurred", "dark", "small"])
def test_hard_pictures(change):
    (code,) = scan_picture(change(placed(blank(seed=3))))
    assert code.decoded and code.text == "A-1"


def test_every_symbology_and_several_at_once():
    picture = placed(blank(), "one", x=5, y=5)
    paste(picture, qr("two", 10), 50, 8)
    paste(picture, pdf417(b"\x00\x01\x02opaque", 40, 12), 10, 32)
    found = scan_picture(picture)
    assert {code.text for code in found if code.symbology is Symbology.QR} == {"one", "two"}
    (stack,) = [code for code in found if code.symbology is Symbology.PDF417]
    assert stack.payload == b"\x00\x01\x02opaque" and stack.text is None
    paste(picture, code128("123456789", 24, 6), 55, 40)
    assert "123456789" in {code.text for code in scan(picture)}


def test_a_part_of_a_decoded_code_is_no_code_of_its_own():
    found = scan_picture(back_e())
    assert sorted((code.symbology, code.decoded) for code in found) == [(Symbology.PDF417, True), (Symbology.QR, True)]


def test_control_characters_are_kept():
    (code,) = scan_picture(placed(blank(), "a\x1db\r\n"))
    assert code.text == "a\x1db\r\n"


def test_look_gives_corners_in_the_given_picture():
    picture = placed(blank())
    (plain,) = look(picture, Look())
    for way in (Look(scale=0.5), Look(scale=2.0), Look(scale=0.7, enhance=Enhance.SHARPEN), Look(enhance=Enhance.EQUALISE)):
        (other,) = look(picture, way)
        assert np.abs(other.corners - plain.corners).max() < 6


def test_near_reads_one_place_only():
    picture = placed(blank(), "here", x=10, y=10)
    paste(picture, qr("there", 14), 60, 30)
    corners = np.array([[220, 220], [460, 220], [460, 460], [220, 460]], dtype=np.float64)
    assert [code.text for code in near(picture, corners, (Symbology.QR,))] == ["here"]
    assert near(picture, corners + np.array([500, 0]), (Symbology.QR,)) == []


def test_command_goes_on_after_bad_files(tmp_path, capsys):
    good, broken, missing = tmp_path / "good.png", tmp_path / "broken.jpg", tmp_path / "missing.png"
    cv2.imwrite(str(good), placed(blank(), "http://127.0.0.1:9/never-fetched\x1b[31m"))
    broken.write_bytes(b"\xff\xd8 not a picture")
    read_codes_command([broken, missing, good], jsonl=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source"] for row in rows] == [str(broken), str(missing), str(good)]
    assert rows[0]["error"]["code"].startswith("bad_picture") and rows[1]["error"]["code"] == "unreadable_file"
    (code,) = rows[2]["codes"]
    assert {"symbology", "status", "text", "sha256", "corners"} == set(code)
    assert (code["symbology"], code["status"], code["text"]) == ("qr", "decoded", "http://127.0.0.1:9/never-fetched\x1b[31m")
    read_codes_command([good], jsonl=False)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.shared
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the checkout")
def test_public_samples():
    """Every sample of the reader's own collection whose text is known: read, and never read otherwise."""
    samples = [row for row in json.loads((DATA / "manifest.json").read_text()) if row["set"] == "codes"]
    known = {row["file"]: row["expect"]["text"] for row in samples if (row["expect"] or {}).get("text")}
    read = {name: {code["text"] for code in read_one(DATA / name)["codes"] if code["status"] == "decoded"} for name in known}
    assert len(known) == 111 and [name for name, text in known.items() if text not in read[name]] == []
