"""Faces: the portrait and the ghost photo on the card, the selfie, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import FaceEvidence
from pipeline.networks.api import Array, Image, Net, Networks
from pipeline.networks.face_detector import Face, faces_of, letterbox, reduced
from pipeline.networks.face_recogniser import align, to_batch, unit_vectors
from pipeline.stages.decode import Photo
from pipeline.stages.face_quality import face_found
from pipeline.stages.geometry import CARD_MM, PX_PER_MM

Size = tuple[int, int]

PORTRAIT_SHARE = 0.38
"""The part of the card, from its left edge, that the portrait lies in: text begins at 0.29-0.31 of the width
(docs: three independent sources agree); the rest is room for a quad that is a little off."""
GHOST_SHARE = 0.36
"""The part of the card, from its right edge, that the ghost photo lies in (right side on every model since D)."""

CARD_SIZE: Size = (192, 320)
"""Width and height of the detector's input for a third of the card: a portrait's head comes to some 80 pixels."""
GHOST_SIZE: Size = (224, 352)
"""A ghost photo is about half as wide as the portrait: its head comes to some 45 pixels."""

PORTRAIT_EYES_MM, GHOST_EYES_MM = 12.0, 8.0
"""Most distance between the eyes of a portrait and of a ghost photo: a face is about 2.2 times as wide as its eyes lie
apart, the text leaves the portrait some 25 mm and the ghost photo under 20."""

LADDER: tuple[tuple[Size, float], ...] = (((320, 320), 0.15), ((640, 640), 0.10), ((320, 320), 0.60))
"""Square inputs and margins tried on a photograph until a face shows: as it is; small faces; faces that fill the frame."""

PEER_SHARE = 0.5
"""A second face counts where its eyes lie at least half as far apart as the first's: someone beside, not behind."""
EDGE_WEIGHT = 0.7
"""What a face's size counts for at the picture's edge."""

_ANY_SCORE = 0.1
"""Below this a cell is background: `portrait_score` reports every score above it, and judges none."""


@dataclass(frozen=True, eq=False, slots=True)
class FaceMatch:
    """The evidence, and for the search for reuse the portrait's embedding (the selfie's where the card shows none) and the
    selfie's."""

    evidence: FaceEvidence
    embedding: NDArray[np.float32] | None
    selfie: NDArray[np.float32] | None


def detect_faces(image: Image, networks: Networks, calibration: Calibration) -> tuple[Face, ...]:
    """All faces in a photograph (H, W, 3) BGR uint8, best first, in its own pixels; empty where there is none.

    A photograph that lies on its side or upside down (its orientation was lost) is turned until its faces stand upright:
    the detector sees lying faces too, with less certainty and with its landmarks in the wrong places.
    """
    minimum = calibration["face.detector_min"]
    for size, margin in LADDER:
        batch, place = letterbox(image, size, margin)
        faces = faces_of(networks.run(Net.FACE_DETECTOR, batch), size, minimum)
        if not faces or faces[0].score < calibration["face.upright_sure"]:
            faces = max([faces, *_turned(batch, networks, size, minimum)], key=_best_score)
        if faces:
            return tuple(place.back(face) for face in faces)
    return ()


def _turned(batch: Array, networks: Networks, size: Size, minimum: float) -> list[tuple[Face, ...]]:
    """The faces after each of the three other quarter turns of a square input, in pixels of the input as it was."""
    found = []
    for turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(batch, turns, axes=(2, 3)))
        faces = faces_of(networks.run(Net.FACE_DETECTOR, turned), size, minimum)
        found.append(tuple(face.turned_back(turns, size[0]) for face in faces))
    return found


def _best_score(faces: tuple[Face, ...]) -> float:
    return faces[0].score if faces else 0.0


def find_portrait(card: Image, networks: Networks, calibration: Calibration) -> Face | None:
    """The largest face in the left part of an upright front (H, W, 3) BGR, in pixels of the card; None where there is none."""
    width = round(card.shape[1] * PORTRAIT_SHARE)
    faces = _detect(card[:, :width], networks, CARD_SIZE, 0.0, calibration["face.detector_min"])
    return max((face for face in faces if _eyes_mm(face, card) <= PORTRAIT_EYES_MM), key=lambda face: face.eyes, default=None)


def find_ghost(card: Image, networks: Networks, calibration: Calibration) -> Face | None:
    """The surest face in the right part of an upright front (H, W, 3) BGR, in pixels of the card.

    The ghost photo is printed pale and tinted: it is looked for in grey, with its contrast spread. What spreading makes
    of a plain ground may look like one large face, so the size is bounded.
    """
    left = card.shape[1] - round(card.shape[1] * GHOST_SHARE)
    # reduced first: finding percentiles over the whole third of the card costs as much as the detector
    width = card.shape[1] - left
    scale = min(GHOST_SIZE[0] / width, GHOST_SIZE[1] / card.shape[0], 1.0)
    small = reduced(card[:, left:], round(width * scale), round(card.shape[0] * scale))
    faces = _detect(spread_contrast(small), networks, GHOST_SIZE, 0.0, calibration["face.ghost_detector_min"])
    placed = (face.moved(1 / scale, left, 0.0) for face in faces)
    return next((face for face in placed if _eyes_mm(face, card) <= GHOST_EYES_MM), None)


def portrait_score(card: Image, networks: Networks) -> float:
    """How surely a face stands upright in the left part of the picture, 0..1: for telling a front from its half-turn.

    card: (H, W, 3) BGR uint8 of any size with the card's proportions. One run of the detector at its smallest.
    """
    width = round(card.shape[1] * PORTRAIT_SHARE)
    faces = _detect(card[:, :width], networks, CARD_SIZE, 0.0, _ANY_SCORE)
    return faces[0].score if faces else 0.0


def find_selfie(view: Image, networks: Networks, calibration: Calibration) -> tuple[Face | None, int]:
    """The selfie's main face in (H, W, 3) BGR, and how many faces compete with it."""
    return main_face(detect_faces(view, networks, calibration), view)


def main_face(faces: tuple[Face, ...], view: Image) -> tuple[Face | None, int]:
    """The face nearest to the camera, and how many there are of like size.

    Size counts before place: whoever holds the phone is large. Place counts between faces of like size, and a face that is
    half as large and stands at the edge is a passer-by or a poster. view: the picture, (H, W, 3).
    """
    if not faces:
        return None, 0
    weights = [face.eyes * _central(face, view) for face in faces]
    largest = faces[int(np.argmax(weights))]
    peers = [face for face, weight in zip(faces, weights, strict=True)
             if face is not largest and weight >= PEER_SHARE * max(weights)]
    return largest, 1 + len(peers)


def _central(face: Face, view: Image) -> float:
    """1 in the picture's middle, EDGE_WEIGHT at its edges."""
    height, width = view.shape[:2]
    x, y = (face.box[0] + face.box[2]) / 2 / width - 0.5, (face.box[1] + face.box[3]) / 2 / height - 0.5
    return 1 - (1 - EDGE_WEIGHT) * min(1.0, 2 * float(max(abs(x), abs(y))))


def embed(images: list[Image], networks: Networks) -> NDArray[np.float32]:
    """Unit vectors (N, 128) float32 of aligned faces (112, 112, 3) BGR; a dot product of two is their cosine."""
    return unit_vectors(networks.run(Net.FACE_RECOGNISER, to_batch(images))[0])


def match_faces(
    card: Image | None, px_per_mm: float, selfie: Photo | None, networks: Networks, calibration: Calibration
) -> FaceMatch:
    """Portrait, ghost and selfie, and their likeness.

    card: the upright rectified front, (CARD_HEIGHT, CARD_WIDTH, 3) BGR, or None. px_per_mm: what the photograph of it
    really holds, so that `eyes_px` is honest about an enlarged card. selfie: the decoded selfie, or None.
    """
    portrait = find_portrait(card, networks, calibration) if card is not None else None
    ghost = find_ghost(card, networks, calibration) if card is not None else None
    face, count = find_selfie(selfie.view, networks, calibration) if selfie is not None else (None, 0)

    crops: dict[str, Image] = {}
    if card is not None and portrait is not None:
        crops["portrait"] = align(card, portrait.landmarks)
    if card is not None and ghost is not None:
        crops["ghost"] = spread_contrast(align(card, ghost.landmarks))
    if selfie is not None and face is not None:
        crops["selfie"] = align(selfie.view, face.landmarks)
    vectors = dict(zip(crops, embed(list(crops.values()), networks), strict=True)) if crops else {}

    card_px = px_per_mm / PX_PER_MM
    evidence = FaceEvidence(
        portrait=face_found(portrait, crops["portrait"], 1 / PX_PER_MM, card_px) if portrait else None,
        ghost=face_found(ghost, crops["ghost"], 1 / PX_PER_MM, card_px) if ghost else None,
        selfie=face_found(face, crops["selfie"], selfie.scale, selfie.scale) if face and selfie else None,
        selfie_faces=count,
        similarity=_cosine(vectors, "portrait", "selfie"),
        ghost_similarity=_cosine(vectors, "portrait", "ghost"),
    )
    return FaceMatch(evidence, vectors.get("portrait", vectors.get("selfie")), vectors.get("selfie"))


def spread_contrast(image: Image) -> Image:
    """Grey with its 1st to 99th percentile spread over 0..255, in three equal channels: (H, W, 3) BGR uint8."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    low, high = np.percentile(grey[::2, ::2], (1, 99))
    spread = (grey.astype(np.float32) - low) * (255 / max(high - low, 1.0))
    return np.asarray(cv2.cvtColor(np.clip(spread, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _detect(image: Image, networks: Networks, size: Size, margin: float, minimum: float) -> tuple[Face, ...]:
    batch, place = letterbox(image, size, margin)
    return tuple(place.back(face) for face in faces_of(networks.run(Net.FACE_DETECTOR, batch), size, minimum))


def _eyes_mm(face: Face, card: Image) -> float:
    return face.eyes * CARD_MM[0] / float(card.shape[1])


def _cosine(vectors: dict[str, NDArray[np.float32]], a: str, b: str) -> float | None:
    if a not in vectors or b not in vectors:
        return None
    return float(np.clip(vectors[a] @ vectors[b], -1.0, 1.0))
