"""Recognisers of InsightFace's model packs, for operators who have one and accept its licence.

The one module that imports `insightface`, and only when a pack is chosen. Nothing is ever downloaded: the pack's
recogniser is a file of the operator's, loaded by the library's own loader on the CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.onnx_file import check_onnx
from pipeline.errors import Misconfigured
from pipeline.networks.api import Image
from pipeline.networks.face_recogniser import SIDE, unit_vectors
from pipeline.networks.session import CPU


class PackRecogniser:
    """An InsightFace recognition model behind the shapes that the stages use."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def embed(self, faces: list[Image]) -> NDArray[np.float32]:
        """Aligned faces (112, 112, 3) BGR uint8 -> unit vectors (N, dimensions) float32."""
        return unit_vectors(np.asarray(self._model.get_feat(faces), dtype=np.float32))


def load_pack_recogniser(path: Path) -> PackRecogniser:
    """Loads a pack's recogniser from a file. Raises `Misconfigured` where it is missing or is no recogniser of 112x112 faces."""
    if not path.is_file():
        raise Misconfigured(f"{path.name} is not there: an InsightFace pack is not part of this project; name your own file")
    check_onnx(path.name, path.read_bytes())  # the library loads by path, and would follow what the file names beside it
    from insightface import model_zoo
    from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    try:
        model = model_zoo.get_model(str(path), providers=[CPU])
    except Exception as error:  # whatever the library's loader and ONNX Runtime raise for a file that is none of theirs
        raise Misconfigured(f"{path.name} does not load through insightface: {type(error).__name__}") from error
    if not isinstance(model, ArcFaceONNX) or tuple(model.input_size) != (SIDE, SIDE):
        raise Misconfigured(f"{path.name} is not an InsightFace recogniser of {SIDE}x{SIDE} faces")
    return PackRecogniser(model)
