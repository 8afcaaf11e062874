"""What a user would write in an afternoon from good libraries: the yardstick for `apoyo bench stages`.

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

DETECTION_SCORE, DETECTION_NMS, DETECTION_TOP = 0.9, 0.3, 5000
"""OpenCV's own sample values for FaceDetectorYN."""


@dataclass(frozen=True)
class NaiveAnswer:
    """What the glue could say of one support."""

    small_qr: bool
    mrz_lines: int
    texts: int
    similarity: float | None


class NaiveGlue:
    """Loads its models once; `examine` is one support.

    It is given our own folded YuNet and SFace, which is to its advantage: OpenCV 5 refuses the Zoo's quantised SFace, and the
    rewritten PReLU is faster than the original.
    """

    def __init__(self, detector: Path, recogniser: Path) -> None:
        logging.disable(logging.WARNING)  # RapidOCR tells of each file it opens
        cv2.setNumThreads(1)
        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
        self.ocr = RapidOCR(params=threads)
        self.detector = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), DETECTION_SCORE, DETECTION_NMS, DETECTION_TOP)
        self.recogniser = cv2.FaceRecognizerSF.create(str(recogniser), "")

    def examine(self, folder: Path) -> NaiveAnswer:
        """Every library on every image, at full size."""
        front, back, selfie = (cv2.imread(str(folder / f"{name}.jpg")) for name in ("front", "back", "selfie"))
        if front is None or back is None or selfie is None:
            raise FileNotFoundError(f"{folder}: front.jpg, back.jpg and selfie.jpg are needed")
        codes = [code.text for photo in (front, back) for code in zxingcpp.read_barcodes(photo)]
        texts = [text for photo in (front, back) for text in self._texts(photo)]
        lines = [text for text in texts if re.fullmatch(r"[A-Z0-9<]{28,32}", text.replace(" ", ""))]
        faces = [self._embedding(photo) for photo in (front, selfie)]
        similarity = None
        if faces[0] is not None and faces[1] is not None:
            similarity = float(self.recogniser.match(faces[0], faces[1], cv2.FaceRecognizerSF_FR_COSINE))
        return NaiveAnswer(any("qr.ine.mx" in code for code in codes), len(lines), len(texts), similarity)

    def _texts(self, photo: np.ndarray[Any, Any]) -> tuple[str, ...]:
        return tuple(getattr(self.ocr(photo), "txts", None) or ())

    def _embedding(self, photo: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        self.detector.setInputSize((photo.shape[1], photo.shape[0]))
        faces: Any = self.detector.detect(photo)[1]
        if faces is None:
            return None
        largest = max(faces, key=lambda face: face[2] * face[3])
        return np.asarray(self.recogniser.feature(self.recogniser.alignCrop(photo, largest)))
