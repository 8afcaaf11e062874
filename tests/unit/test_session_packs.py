"""The door for InsightFace packs, tried with our own recogniser: no pack is part of this project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.registry import weight_path
from pipeline.errors import Misconfigured
from pipeline.networks.insightface_packs import load_pack_recogniser
from pipeline.stages.match_face import embed
from pipeline.wiring import local_networks


def test_a_recogniser_through_insightface_agrees_with_our_own_session() -> None:
    image = cv2.imread(str(weight_path("portrait_person_a_1")))
    assert image is not None
    faces = [np.asarray(cv2.resize(image, (112, 112)), dtype=np.uint8), np.full((112, 112, 3), 90, np.uint8)]
    recogniser = load_pack_recogniser(weight_path("face_recogniser"))
    np.testing.assert_allclose(recogniser.embed(faces), embed(faces, local_networks()), atol=1e-4)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is not there"):
        load_pack_recogniser(tmp_path / "w600k.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(Misconfigured, match="does not load"):
        load_pack_recogniser(tmp_path / "bad.onnx")
    with pytest.raises(Misconfigured, match="not an InsightFace recogniser"):
        load_pack_recogniser(weight_path("face_detector"))


def test_the_default_path_never_imports_insightface() -> None:
    program = ("import sys; from pipeline.wiring import local_networks; import pipeline.stages.match_face; local_networks(); "
               "import pipeline.cli.compare_faces, pipeline.networks.insightface_packs; sys.exit('insightface' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
