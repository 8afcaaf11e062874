"""Measures face matching on public photographs and sets its thresholds: `python -m models.evaluation.faces`.

One photograph of each pair plays the selfie as it is; the other is put through what a card does to a portrait (few
pixels, pale and tinted print, blur, JPEG) and found again on a drawn card. The pictures are read from the data folder
and never written anywhere. Prints the table; `--write` puts the thresholds into models/calibration/face.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.registry import ROOT
from pipeline.domain.calibration import Calibration, Threshold
from pipeline.networks.api import Image, Networks
from pipeline.networks.face_detector import Face
from pipeline.networks.face_recogniser import align
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH
from pipeline.stages.match_face import detect_faces, embed, find_ghost, find_portrait, spread_contrast
from pipeline.wiring import local_networks

DEFAULT_DATA = ROOT.parent.parent / "shared" / "data"
SEED = 20_261_124

EYES_PX = (10, 14, 18, 24, 36)
"""Pixels between the portrait's eyes in the photograph of the card."""
PRINTS = ("colour", "tinted", "grey")
GHOST_EYES_PX = (10, 14, 18, 24)
CANDIDATES = (0.20, 0.25, 0.30, 0.33, 0.363, 0.38, 0.40, 0.42, 0.45, 0.50)

MOST_FALSE_ACCEPTS = 1e-4
"""NIST SP 800-63A-4 asks for a false match rate of at most 1e-4."""
MOST_FALSE_DENIALS = 0.01
"""Genuine pairs that may be called another person."""
MOST_BLIND_DENIALS = 0.02
"""Genuine pairs of the smallest accepted size that may be called another person: below it, say `low quality`."""

PORTRAIT_EYES, GHOST_EYES = 120.0, 60.0
"""Card pixels between the eyes of the drawn portrait (some 6 mm) and of the drawn ghost photo (some 3 mm)."""

DETECTOR_MIN, GHOST_DETECTOR_MIN = 0.6, 0.5
"""Measured here by how many faces they find and how many empty pictures they find one in."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`hits` of `trials`, with the 95 % interval (Wilson); 0 of n is bounded by 3/n."""

    hits: int
    trials: int

    def __str__(self) -> str:
        if self.trials == 0:
            return "0/0"
        low, high = self.bounds()
        return f"{self.hits}/{self.trials} = {100 * self.hits / self.trials:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"

    def bounds(self) -> tuple[float, float]:
        n, p, z = self.trials, self.hits / self.trials, 1.96
        if self.hits == 0:
            return 0.0, min(1.0, 3 / n)
        if self.hits == n:
            return max(0.0, 1 - 3 / n), 1.0
        middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    same: bool


@dataclass(frozen=True, eq=False, slots=True)
class Trials:
    """Cosines of genuine and impostor pairs in one condition; a face that was not found is a cosine of -1."""

    label: str
    genuine: NDArray[np.float64]
    impostor: NDArray[np.float64]

    def accepted(self, threshold: float) -> Rate:
        return Rate(int((self.genuine >= threshold).sum()), len(self.genuine))

    def falsely_accepted(self, threshold: float) -> Rate:
        return Rate(int((self.impostor >= threshold).sum()), len(self.impostor))


def read_pairs(data: Path) -> list[Pair]:
    """pairs.csv of the data folder; its paths are relative to that folder."""
    with (data / "faces" / "pairs.csv").open(newline="", encoding="utf-8") as file:
        return [Pair(row["a"], row["b"], row["same"] == "1") for row in csv.DictReader(file)]


def detector_calibration() -> Calibration:
    """The two thresholds that detection itself needs, before there is a file."""
    values = {"face.detector_min": DETECTOR_MIN, "face.ghost_detector_min": GHOST_DETECTOR_MIN}
    return Calibration({name: Threshold(name, value, "score", "under measurement") for name, value in values.items()})


def printed(image: Image, face: Face, eyes_px: float, style: str, rng: np.random.Generator) -> tuple[Image, float]:
    """The portrait as the photograph of a card holds it, and its pixels between the eyes (never more than the source's).

    style: `colour`, `tinted` (pale, half its colour, a warm or cold cast), `grey`, `ghost` (grey, a third of the
    contrast, on tinted paper under fine lines).
    """
    eyes_px = min(eyes_px, face.eyes)
    scale = eyes_px / face.eyes
    x0, y0, x1, y1 = face.box
    room = 0.6 * (y1 - y0)
    left, top = max(0, int(x0 - room)), max(0, int(y0 - room))
    crop = image[top : int(y1 + room), left : int(x1 + room)].astype(np.float32)
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = small.mean(axis=2, keepdims=True)
    cast = rng.uniform(0.85, 1.1, 3).astype(np.float32)
    if style == "tinted":
        small = (0.5 * small + 0.5 * grey) * 0.7 * cast + 60
    elif style == "grey":
        small = np.repeat(grey, 3, axis=2) * 0.8 + 35
    elif style == "ghost":
        rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
        lines = 8 * np.sin(rows / 1.7 + np.sin(columns / 5.0))[..., None]
        small = (grey * 0.35 + 140 + lines) * cast
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.4, 0.8)) + rng.normal(0, 3, small.shape)
    quality = int(rng.integers(60, 91))
    _, data = cv2.imencode(".jpg", np.clip(small, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8), eyes_px


def on_card(portrait: Image, eyes_px: float, eyes_on_card: float, *, right: bool) -> Image:
    """A plain card, (1080, 1712, 3) BGR, with the portrait enlarged as rectifying enlarges it, at the left or the right."""
    card = np.full((CARD_HEIGHT, CARD_WIDTH, 3), (214, 222, 226), np.uint8)
    factor = min(eyes_on_card / eyes_px, 640 / portrait.shape[0], 480 / portrait.shape[1])
    picture = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    h, w = picture.shape[:2]
    x = CARD_WIDTH - 60 - w if right else 60
    card[260 : 260 + h, x : x + w] = picture
    return card


def portrait_vectors(
    images: dict[str, Image], faces: dict[str, Face], eyes_px: float, style: str, networks: Networks
) -> dict[str, NDArray[np.float32]]:
    """The embedding of each picture as printed on a card, where a face was found on it."""
    calibration, rng, vectors = detector_calibration(), np.random.default_rng(SEED), {}
    for name, image in images.items():
        if faces[name].eyes < eyes_px:
            continue
        small, eyes = printed(image, faces[name], eyes_px, style, rng)
        ghost = style == "ghost"
        card = on_card(small, eyes, GHOST_EYES if ghost else PORTRAIT_EYES, right=ghost)
        found = (find_ghost if ghost else find_portrait)(card, networks, calibration)
        if found is not None:
            crop = align(card, found.landmarks)
            vectors[name] = embed([spread_contrast(crop) if ghost else crop], networks)[0]
    return vectors


def trials(label: str, pairs: Iterable[Pair], a: dict[str, NDArray[np.float32]], b: dict[str, NDArray[np.float32]],
           eligible: set[str]) -> Trials:
    """Cosines of all pairs whose second picture is large enough for the condition (`eligible`)."""
    rows: dict[bool, list[float]] = {True: [], False: []}
    for pair in pairs:
        if pair.b in eligible:
            found = pair.a in a and pair.b in b
            rows[pair.same].append(float(a[pair.a] @ b[pair.b]) if found else -1.0)
    return Trials(label, np.array(rows[True]), np.array(rows[False]))


def both_ways(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Each pair with either picture as the printed one."""
    for pair in pairs:
        yield pair
        yield Pair(pair.b, pair.a, pair.same)


def measure(data: Path, networks: Networks) -> tuple[list[Trials], list[Trials]]:
    """Trials of selfie against portrait, and of portrait against ghost, a condition each."""
    pairs = read_pairs(data)
    names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
    images = {name: np.asarray(cv2.imread(str(data / name), cv2.IMREAD_COLOR), dtype=np.uint8) for name in names}
    faces: dict[str, Face] = {}
    for name, image in images.items():
        found = detect_faces(image, networks, detector_calibration())
        if found:
            faces[name] = max(found, key=lambda face: face.eyes)
    print(f"{len(names)} photographs, a face found in {Rate(len(faces), len(names))}")
    images = {name: images[name] for name in faces}
    plain = {name: embed([align(image, faces[name].landmarks)], networks)[0] for name, image in images.items()}

    matching = [trials("as it is", pairs, plain, plain, set(faces))]
    ghosts = []
    for eyes_px in EYES_PX:
        eligible = {name for name, face in faces.items() if face.eyes >= eyes_px}
        for style in PRINTS:
            vectors = portrait_vectors(images, faces, eyes_px, style, networks)
            matching.append(trials(f"{eyes_px} px {style}", both_ways(pairs), plain, vectors, eligible))
    portraits = portrait_vectors(images, faces, 24, "tinted", networks)
    for eyes_px in GHOST_EYES_PX:
        eligible = {name for name, face in faces.items() if face.eyes >= max(eyes_px, 24)}
        vectors = portrait_vectors(images, faces, eyes_px, "ghost", networks)
        same = [Pair(name, name, True) for name in sorted(eligible)]
        others = [pair for pair in both_ways(pairs) if not pair.same and pair.a in eligible]
        ghosts.append(trials(f"{eyes_px} px ghost", [*same, *others], portraits, vectors, eligible))
    return matching, ghosts


def pooled(rows: Sequence[Trials], least_eyes: int = 0) -> Trials:
    """All trials of the conditions with at least so many pixels between the eyes, as one."""
    chosen = [row for row in rows if int(row.label.split()[0]) >= least_eyes]
    return Trials(f"{least_eyes} px and more", np.concatenate([row.genuine for row in chosen]),
                  np.concatenate([row.impostor for row in chosen]))


def operating_points(matching: Sequence[Trials], ghosts: Sequence[Trials]) -> dict[str, dict[str, object]]:
    """The thresholds of models/calibration/face.json by the rules above, each with what was measured at it."""
    printed_rows = matching[1:]
    least = min(EYES_PX)
    match = min(t for t in CANDIDATES if _share(pooled(printed_rows, 18).falsely_accepted(t)) <= MOST_FALSE_ACCEPTS)
    no_match = max(t for t in CANDIDATES if 1 - _share(pooled(printed_rows, 24).accepted(t)) <= MOST_FALSE_DENIALS)
    for least in EYES_PX:
        at_least = [row for row in printed_rows if row.label.startswith(f"{least} ")]
        if 1 - _share(pooled(at_least).accepted(no_match)) <= MOST_BLIND_DENIALS:
            break
    good, small, ghost = pooled(printed_rows, 24), pooled(printed_rows, 18), pooled(ghosts, 14)
    ghost_match = min(t for t in CANDIDATES if _share(ghost.falsely_accepted(t)) <= 10 * MOST_FALSE_ACCEPTS)
    about = ("125 public portraits, 488 genuine and 4,762 impostor pairs, one of each pair as a card's portrait (colour, tinted, "
             "grey; blur, noise, JPEG 60-90)")
    return {
        "face.match": _point(
            match, "cosine",
            f"{about}: with 18 px and more between the eyes {small.accepted(match)} of genuine and "
            f"{small.falsely_accepted(match)} of impostor comparisons reach it; with 24 px and more {good.accepted(match)} of "
            f"genuine; unprinted {matching[0].accepted(match)} and {matching[0].falsely_accepted(match)}. Comparisons share "
            "pictures, so the intervals are too narrow"),
        "face.no_match": _point(
            no_match, "cosine",
            f"{about}: with 24 px and more between the eyes {good.accepted(no_match)} of genuine and "
            f"{good.falsely_accepted(no_match)} of impostor comparisons reach it"),
        "face.min_eyes_px": _point(
            least, "pixels between the eyes, in the photograph",
            f"{about}: the smallest size measured at which at most 2 % of genuine comparisons fall below face.no_match: "
            f"{pooled(at_least).accepted(no_match)} reach it"),
        "face.ghost_match": _point(
            ghost_match, "cosine",
            f"the same portraits, tinted at 24 px, against grey ghosts of a third of the contrast at 14-24 px: "
            f"{ghost.accepted(ghost_match)} of genuine and {ghost.falsely_accepted(ghost_match)} of impostor comparisons reach "
            "it (not found counts as not reached)"),
    }


def _point(value: float, unit: str, source: str) -> dict[str, object]:
    return {"value": value, "unit": unit, "source": source}


def _share(rate: Rate) -> float:
    return rate.hits / rate.trials


def print_table(title: str, rows: Sequence[Trials]) -> None:
    print(f"\n{title}\ncondition | threshold | genuine accepted | impostors accepted")
    for row in rows:
        print(f"{row.label}: not found {int((row.genuine < -0.99).sum())} + {int((row.impostor < -0.99).sum())}; "
              f"genuine 1 % {np.percentile(row.genuine, 1):.3f}, median {np.median(row.genuine):.3f}; "
              f"highest impostor {row.impostor.max():.3f}")
        for threshold in CANDIDATES:
            print(f"    {threshold:.3f} | {row.accepted(threshold)} | {row.falsely_accepted(threshold)}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.faces", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder that holds faces/pairs.csv")
    parser.add_argument("--write", action="store_true", help="write models/calibration/face.json")
    options = parser.parse_args(arguments)
    if not (options.data / "faces" / "pairs.csv").is_file():
        print(f"no faces/pairs.csv in {options.data}: give the data folder by --data", file=sys.stderr)
        return 2
    matching, ghosts = measure(options.data, local_networks())
    if options.write:
        path = ROOT / "calibration" / "face.json"
        path.write_text(json.dumps(operating_points(matching, ghosts), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print_table("selfie against portrait", matching)
    print_table("portrait against ghost photo", ghosts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
