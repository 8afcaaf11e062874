"""What a user would write in an afternoon from good libraries: the yardstick for `apoyo bench stages`, and one of `bench peers`.

Full decode by OpenCV; zxing-cpp with its defaults on both photos; RapidOCR with its defaults on both photos; OpenCV's YuNet
and SFace classes on the full images. No rectification, no templates, one thread each. It reads the same files as Apoyo.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zxingcpp
from rapidocr import RapidOCR

from models.registry import weight_path

DETECTION_SCORE, DETECTION_NMS, DETECTION_TOP = 0.9, 0.3, 5000
"""OpenCV's own sample values for FaceDetectorYN."""
Picture = np.ndarray[Any, Any]


class Texts:
    """RapidOCR as it comes, on one thread."""

    def __init__(self) -> None:
        logging.disable(logging.WARNING)  # it tells of each file it opens
        cv2.setNumThreads(1)
        self._ocr = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1,
                                     "EngineConfig.onnxruntime.inter_op_num_threads": 1})

    def of(self, *photos: Picture) -> list[str]:
        return [text for photo in photos for text in getattr(self._ocr(photo), "txts", None) or ()]


class Faces:
    """OpenCV's YuNet and SFace on the largest face of each photo.

    They are given our own folded weights, which is to their advantage: OpenCV 5 refuses the Zoo's quantised SFace, and the
    rewritten PReLU is faster than the original.
    """

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._detector = cv2.FaceDetectorYN.create(str(weight_path("face_detector")), "", (320, 320), DETECTION_SCORE,
                                                   DETECTION_NMS, DETECTION_TOP)
        self._recogniser = cv2.FaceRecognizerSF.create(str(weight_path("face_recogniser")), "")

    def similarity(self, first: Picture, second: Picture) -> float | None:
        """Cosine of the two; None where one shows no face."""
        found = [self._embedding(photo) for photo in (first, second)]
        if found[0] is None or found[1] is None:
            return None
        return float(self._recogniser.match(found[0], found[1], cv2.FaceRecognizerSF_FR_COSINE))

    def _embedding(self, photo: Picture) -> Picture | None:
        self._detector.setInputSize((photo.shape[1], photo.shape[0]))
        faces: Any = self._detector.detect(photo)[1]
        if faces is None:
            return None
        largest = max(faces, key=lambda face: face[2] * face[3])
        return np.asarray(self._recogniser.feature(self._recogniser.alignCrop(photo, largest)))


@dataclass(frozen=True)
class NaiveAnswer:
    """What the glue could say of one support: every code and line of text, and how alike the faces are."""

    codes: tuple[str, ...]
    texts: tuple[str, ...]
    similarity: float | None

    @property
    def small_qr(self) -> bool:
        return any("qr.ine.mx" in code for code in self.codes)

    @property
    def mrz_lines(self) -> int:
        return sum(re.fullmatch(r"[A-Z0-9<]{28,32}", text.replace(" ", "")) is not None for text in self.texts)


class NaiveGlue:
    """Loads its models once; `examine` is one support: every library on every image, at full size."""

    def __init__(self) -> None:
        self._texts, self._faces = Texts(), Faces()

    def examine(self, folder: Path) -> NaiveAnswer:
        front, back, selfie = (read_photo(folder, name) for name in ("front", "back", "selfie"))
        codes = tuple(code.text for photo in (front, back) for code in zxingcpp.read_barcodes(photo))
        return NaiveAnswer(codes, tuple(self._texts.of(front, back)), self._faces.similarity(front, selfie))


def read_photo(folder: Path, name: str, flags: int = cv2.IMREAD_COLOR) -> Picture:
    """HxWx3 uint8, BGR, upright by EXIF. Raises FileNotFoundError."""
    photo = cv2.imread(str(folder / f"{name}.jpg"), flags)
    if photo is None:
        raise FileNotFoundError(f"{folder}: {name}.jpg is needed")
    return np.asarray(photo)
