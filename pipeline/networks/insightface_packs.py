"""InsightFace's model packs, for operators who have one and accept its licence: its detector and its recogniser.

The one module that imports `insightface`, and only when a pack is chosen. Nothing is ever downloaded: the files are the
operator's, loaded by the library's own loader on the CPU. No pack is part of this project, and none was at hand to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.onnx_file import check_onnx
from pipeline.errors import Misconfigured
from pipeline.networks.api import Image
from pipeline.networks.face_detector import Face, letterbox
from pipeline.networks.face_recogniser import SIDE, unit_vectors
from pipeline.networks.session import CPU

DETECTOR_SIZE = (640, 640)
MARGINS = (0.15, 0.6)
"""Shares of the detector's input left free: SCRFD misses faces that fill their picture, as selfies do."""
LANDMARKS = 5


class PackRecogniser:
    """An InsightFace recognition model behind the shapes that the stages use."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def embed(self, faces: list[Image]) -> NDArray[np.float32]:
        """Aligned faces (112, 112, 3) BGR uint8 -> unit vectors (N, dimensions) float32."""
        return unit_vectors(np.asarray(self._model.get_feat(faces), dtype=np.float32))


class PackDetector:
    """An InsightFace face detector (SCRFD with five landmarks) behind the shapes that the stages use."""

    def __init__(self, model: Any, minimum: float) -> None:
        model.prepare(0, input_size=DETECTOR_SIZE, det_thresh=minimum)
        self._model = model

    def detect(self, image: Image) -> tuple[Face, ...]:
        """The faces in (H, W, 3) BGR uint8, best first, in its pixels. Tried again with more room where none shows."""
        for margin in MARGINS:
            batch, place = letterbox(image, DETECTOR_SIZE, margin)
            canvas = np.ascontiguousarray(batch[0].transpose(1, 2, 0), dtype=np.uint8)
            boxes, points = self._model.detect(canvas, input_size=DETECTOR_SIZE)
            faces = [Face((x0, y0, x1, y1), score, np.asarray(five, dtype=np.float64))
                     for (x0, y0, x1, y1, score), five in zip(boxes.tolist(), points, strict=True)]
            if faces:
                return tuple(place.back(face) for face in sorted(faces, key=lambda face: -face.score))
        return ()


@dataclass(frozen=True, slots=True)
class Pack:
    detector: PackDetector
    recogniser: PackRecogniser


def role_of(path: Path) -> str | None:
    """`recogniser`, `detector`, or None for another model that InsightFace knows (age, 68 landmarks), which is not used here.

    Raises `Misconfigured` where the file is missing or nothing that InsightFace loads.
    """
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX
    from insightface.model_zoo.scrfd import SCRFD

    model = _load(path)
    if isinstance(model, ArcFaceONNX) and tuple(model.input_size) == (SIDE, SIDE):
        return "recogniser"
    return "detector" if isinstance(model, SCRFD) and model.use_kps and hasattr(model, "fmc") else None


def load_pack_recogniser(path: Path) -> PackRecogniser:
    """Loads a pack's recogniser from a file. Raises `Misconfigured` where it is missing or is no recogniser of 112x112 faces."""
    if role_of(path) != "recogniser":
        raise Misconfigured(f"{path.name} is not an InsightFace recogniser of {SIDE}x{SIDE} faces")
    return PackRecogniser(_load(path))


def load_pack_detector(path: Path, minimum: float) -> PackDetector:
    """Loads a pack's detector. minimum: score below which nothing is a face. Raises `Misconfigured` as above."""
    if role_of(path) != "detector":
        raise Misconfigured(f"{path.name} is not an InsightFace detector with {LANDMARKS} landmarks")
    return PackDetector(_load(path), minimum)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise Misconfigured(f"{path.name} is not there: an InsightFace pack is not part of this project; name your own file")
    check_onnx(path.name, path.read_bytes())  # the library loads by path, and would follow what the file names beside it
    from insightface import model_zoo

    try:
        return model_zoo.get_model(str(path), providers=[CPU])
    except Exception as error:  # whatever the library's loader and ONNX Runtime raise for a file that is none of theirs
        raise Misconfigured(f"{path.name} does not load through insightface: {type(error).__name__}") from error
