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

from models.evaluation.faces_report import SHEET_PAIRS, quality_points, report, sheet, threshold_for
from models.evaluation.faces_trials import NOT_FOUND, Trials, pooled
from models.evaluation.rates import Rate
from models.registry import ROOT
from pipeline.domain.calibration import Calibration, Threshold
from pipeline.domain.evidence import FaceFound
from pipeline.networks.api import Image, Networks
from pipeline.networks.face_detector import LEFT_EYE, RIGHT_EYE, Face
from pipeline.networks.face_recogniser import align
from pipeline.stages.face_quality import face_found
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH
from pipeline.stages.match_face import detect_faces, embed, find_ghost, find_portrait, spread_contrast
from pipeline.wiring import local_networks

DEFAULT_DATA = ROOT.parent.parent / "shared" / "data"
SEED = 20_261_124

EYES_PX = (10, 14, 18, 24, 36)
"""Pixels between the portrait's eyes in the photograph of the card."""
PRINTS = ("colour", "tinted", "grey")
STYLES = (*PRINTS, "hologram")
GHOST_EYES_PX = (10, 14, 18, 24, 28)
CANDIDATES = (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.33, 0.363, 0.38, 0.40, 0.42, 0.45, 0.50)

MOST_FALSE_ACCEPTS = 1e-4
"""NIST SP 800-63A-4 asks for a false match rate of at most 1e-4. A ghost photo is a second witness only: ten times that."""
MOST_FALSE_DENIALS = 0.003
"""Genuine pairs that may be called another person."""
LOOK_ALIKE_SHARE = 0.01
"""Of the impostor pairs: those most alike unprinted."""
MOST_BLIND_DENIALS = 0.01
"""Genuine pairs of the smallest accepted size that may be called another person: below it, say `low quality`."""
JUDGED_EYES_PX, CLEAR_EYES_PX = 18, 24
"""Sizes from which `face.match`, and `face.no_match`, are set."""

PORTRAIT_EYES, GHOST_EYES = 120.0, 60.0
"""Card pixels between the eyes of the drawn portrait (some 6 mm) and of the drawn ghost photo (some 3 mm)."""

WITH_A_PERSON = ("astronaut", "camera")
"""Textures that show somebody."""
DETECTOR_MIN, GHOST_DETECTOR_MIN, UPRIGHT_SURE = 0.7, 0.5, 0.9
"""Measured here by how many faces they find, and how many pictures they find one in where there is none or it lies."""


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    same: bool


def read_pairs(data: Path) -> list[Pair]:
    """pairs.csv of the data folder; its paths are relative to that folder."""
    with (data / "faces" / "pairs.csv").open(newline="", encoding="utf-8") as file:
        return [Pair(row["a"], row["b"], row["same"] == "1") for row in csv.DictReader(file)]


def detector_calibration(upright_sure: float = UPRIGHT_SURE) -> Calibration:
    """The thresholds that detection itself needs, before there is a file."""
    values = {"face.detector_min": DETECTOR_MIN, "face.ghost_detector_min": GHOST_DETECTOR_MIN,
              "face.upright_sure": upright_sure}
    return Calibration({name: Threshold(name, value, "score", "under measurement") for name, value in values.items()})


def printed(image: Image, face: Face, eyes_px: float, style: str, rng: np.random.Generator) -> tuple[Image, float]:
    """The portrait as the photograph of a card holds it, and its pixels between the eyes (never more than the source's).

    style: `colour`, `tinted` (pale, half its colour, a warm or cold cast), `grey`, `hologram` (tinted, with a coloured band of
    glare across it), `ghost` (grey, a third of the
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
    if style in ("tinted", "hologram"):
        small = (0.5 * small + 0.5 * grey) * 0.7 * cast + 60
    if style == "hologram":
        rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
        along = (columns + rng.uniform(-1, 1) * rows) / small.shape[1] - rng.uniform(0.2, 0.8)
        band = np.exp(-((along / rng.uniform(0.08, 0.2)) ** 2))[..., None]
        small = small + band * rng.uniform(20, 90) * rng.uniform(0.4, 1.0, 3).astype(np.float32)
    if style == "grey":
        small = np.repeat(grey, 3, axis=2) * 0.8 + 35
    if style == "ghost":
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
    images: dict[str, Image], faces: dict[str, Face], eyes_px: float, style: str, networks: Networks,
    seen: list[FaceFound] | None = None
) -> dict[str, NDArray[np.float32]]:
    """The embedding of each picture as printed on a card, where a face was found on it; what was found is put into `seen`."""
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
            if seen is not None:
                seen.append(face_found(found, crop, 1.0, 1.0))
            vectors[name] = embed([spread_contrast(crop) if ghost else crop], networks)[0]
    return vectors


def trials(label: str, eyes_px: int, pairs: Iterable[Pair], a: dict[str, NDArray[np.float32]], b: dict[str, NDArray[np.float32]],
           eligible: set[str]) -> Trials:
    """Cosines of all pairs whose second picture is large enough for the condition (`eligible`)."""
    rows: dict[bool, list[float]] = {True: [], False: []}
    for pair in pairs:
        if pair.b in eligible:
            found = pair.a in a and pair.b in b
            rows[pair.same].append(float(a[pair.a] @ b[pair.b]) if found else NOT_FOUND)
    return Trials(label, eyes_px, np.array(rows[True]), np.array(rows[False]))


def both_ways(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Each pair with either picture as the printed one."""
    for pair in pairs:
        yield pair
        yield Pair(pair.b, pair.a, pair.same)


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Trials of selfie against portrait and of portrait against ghost photo, a condition each; what the detector found.

    alike: as matching, but of the hundredth of the impostor pairs that are most alike unprinted.  worst: pairs for the sheet.
    seen: faces large enough to be judged, as they are and as printed.
    """

    seen: list[FaceFound]
    matching: list[Trials]
    alike: list[Trials]
    worst: list[tuple[str, float, Image, Image]]
    ghosts: list[Trials]
    faces: Rate
    lowest_score: float
    empty: Rate
    empty_ghosts: Rate
    lying_score: float
    lying_right: Rate


def measure(data: Path, networks: Networks) -> Measured:
    """Everything on the public portraits of `data`."""
    pairs = read_pairs(data)
    names = sorted({name for pair in pairs for name in (pair.a, pair.b)})
    images = {name: np.asarray(cv2.imread(str(data / name), cv2.IMREAD_COLOR), dtype=np.uint8) for name in names}
    faces: dict[str, Face] = {}
    for name, image in images.items():
        found = detect_faces(image, networks, detector_calibration())
        if found:
            faces[name] = max(found, key=lambda face: face.eyes)
    found_rate, lowest = Rate(len(faces), len(names)), min(face.score for face in faces.values())
    empty, empty_ghosts = false_faces(data, networks)
    lying_score, lying_right = lying_faces(list(images.values()), networks)
    images = {name: images[name] for name in faces}
    crops = {name: align(image, faces[name].landmarks) for name, image in images.items()}
    plain = {name: embed([crop], networks)[0] for name, crop in crops.items()}

    matching = [trials("as it is", 0, pairs, plain, plain, set(faces))]
    ordered = sorted(pairs, key=lambda pair: -float(plain[pair.a] @ plain[pair.b]))
    impostors = [pair for pair in ordered if not pair.same]
    look_alikes = impostors[: round(LOOK_ALIKE_SHARE * len(impostors))]
    shown = [*look_alikes[:SHEET_PAIRS], *[pair for pair in ordered if pair.same][-SHEET_PAIRS:]]
    worst = [("same" if pair.same else "two", float(plain[pair.a] @ plain[pair.b]), crops[pair.a], crops[pair.b])
             for pair in shown]
    alike, ghosts = [], []
    seen = [face_found(faces[name], crop, 1.0, 1.0) for name, crop in crops.items()]
    for eyes_px in EYES_PX:
        eligible = {name for name, face in faces.items() if face.eyes >= eyes_px}
        for style in STYLES:
            vectors = portrait_vectors(images, faces, eyes_px, style, networks, seen if eyes_px >= JUDGED_EYES_PX else None)
            label = f"{eyes_px} px {style}"
            print(f"  {label}", file=sys.stderr, flush=True)
            matching.append(trials(label, eyes_px, both_ways(pairs), plain, vectors, eligible))
            alike.append(trials(label, eyes_px, both_ways(look_alikes), plain, vectors, eligible))
    portraits = portrait_vectors(images, faces, 24, "tinted", networks)
    for eyes_px in GHOST_EYES_PX:
        eligible = {name for name, face in faces.items() if face.eyes >= max(eyes_px, 24)}
        vectors = portrait_vectors(images, faces, eyes_px, "ghost", networks)
        same = [Pair(name, name, True) for name in sorted(eligible)]
        others = [pair for pair in both_ways(pairs) if not pair.same and pair.a in eligible]
        ghosts.append(trials(f"{eyes_px} px ghost", eyes_px, [*same, *others], portraits, vectors, eligible))
    return Measured(seen, matching, alike, worst, ghosts, found_rate, lowest, empty, empty_ghosts, lying_score, lying_right)


def false_faces(data: Path, networks: Networks) -> tuple[Rate, Rate]:
    """Quarters of textures in which the detector finds a face: as a photograph, and as the ghost photo's side of a card."""
    pictures: list[Image] = []
    for path in sorted((data / "textures").rglob("*.*")):
        texture = None if path.stem in WITH_A_PERSON else cv2.imread(str(path), cv2.IMREAD_COLOR)
        if texture is not None:
            h, w = texture.shape[0] // 2, texture.shape[1] // 2
            pictures += [np.ascontiguousarray(texture[y : y + h, x : x + w]) for y in (0, h) for x in (0, w)]
    calibration, hits, ghost_hits = detector_calibration(), 0, 0
    for picture in pictures:
        hits += bool(detect_faces(picture, networks, calibration))
        card = np.asarray(cv2.resize(picture, (CARD_WIDTH, CARD_HEIGHT)), dtype=np.uint8)
        ghost_hits += find_ghost(card, networks, calibration) is not None
    return Rate(hits, len(pictures)), Rate(ghost_hits, len(pictures))


def lying_faces(images: Sequence[Image], networks: Networks) -> tuple[float, Rate]:
    """Portraits in their three other directions: the highest score where they are not turned, and how many turn out right.

    Right: the line of the eyes within 30 degrees of where the turn put it.
    """
    highest, right = 0.0, 0
    for image in images:
        for turns in (1, 2, 3):
            lying = np.ascontiguousarray(np.rot90(image, turns))
            for face in detect_faces(lying, networks, detector_calibration(upright_sure=0.0)):
                if not _stands(face, turns):
                    highest = max(highest, face.score)
            found = detect_faces(lying, networks, detector_calibration())
            right += bool(found) and _stands(found[0], turns)
    return highest, Rate(right, 3 * len(images))


def _stands(face: Face, turns: int) -> bool:
    x, y = face.landmarks[LEFT_EYE] - face.landmarks[RIGHT_EYE]
    return abs((math.degrees(math.atan2(-y, x)) - 90 * turns + 180) % 360 - 180) <= 30


ABOUT = ("125 public portraits, 488 genuine and 4,762 impostor pairs, one of each pair as a card's portrait (colour, tinted, "
         "grey, under a hologram's glare; blur, noise, JPEG 60-90)")


def operating_points(measured: Measured) -> dict[str, dict[str, object]]:
    """The thresholds of models/calibration/face.json by the rules above, each with what was measured at it."""
    cards = measured.matching[1:]
    judged, clear = pooled(cards, JUDGED_EYES_PX), pooled(cards, CLEAR_EYES_PX)
    match = threshold_for(judged.impostor, MOST_FALSE_ACCEPTS)
    no_match = max(t for t in CANDIDATES if 1 - clear.accepted(t).share <= MOST_FALSE_DENIALS)
    sizes = {size: pooled([row for row in cards if row.eyes_px == size]) for size in EYES_PX}
    least = min(size for size, row in sizes.items() if 1 - row.accepted(no_match).share <= MOST_BLIND_DENIALS)
    plain = measured.matching[0]
    points = {
        "face.match": _point(
            match, "cosine",
            f"{ABOUT}: with {JUDGED_EYES_PX} px and more between the eyes {judged.accepted(match)} of genuine and "
            f"{judged.falsely_accepted(match)} of impostor comparisons reach it; with {CLEAR_EYES_PX} px and more "
            f"{clear.accepted(match)} of genuine; unprinted {plain.accepted(match)} and {plain.falsely_accepted(match)}. "
            "Comparisons share pictures, so the intervals are too narrow"),
        "face.no_match": _point(
            no_match, "cosine",
            f"{ABOUT}: with {CLEAR_EYES_PX} px and more between the eyes {clear.accepted(no_match)} of genuine and "
            f"{clear.falsely_accepted(no_match)} of impostor comparisons reach it"),
        "face.min_eyes_px": _point(
            least, "pixels between the eyes, in the photograph",
            f"{ABOUT}: the smallest size measured at which at most {100 * MOST_BLIND_DENIALS:.0f} % of genuine comparisons fall "
            f"below face.no_match: {sizes[least].accepted(no_match)} reach it"),
    }
    return points | quality_points(measured.seen, JUDGED_EYES_PX) | ghost_points(measured.ghosts) | detector_points(measured)


def ghost_points(rows: Sequence[Trials]) -> dict[str, dict[str, object]]:
    """From ghosts that were found: one that was not is never compared."""
    ghost = pooled(rows, JUDGED_EYES_PX)
    found = Trials(ghost.label, ghost.eyes_px, ghost.genuine[ghost.genuine > NOT_FOUND],
                   ghost.impostor[ghost.impostor > NOT_FOUND])
    match = min(t for t in CANDIDATES if found.falsely_accepted(t).share <= 10 * MOST_FALSE_ACCEPTS)
    no_match = max(t for t in CANDIDATES if 1 - found.accepted(t).share <= MOST_FALSE_DENIALS)
    about = (f"the same portraits, tinted at {CLEAR_EYES_PX} px, against grey ghosts of a third of the contrast under lines, "
             f"with {JUDGED_EYES_PX}-{max(GHOST_EYES_PX)} px between the eyes, where found ({len(found.genuine)} of "
             f"{len(ghost.genuine)})")
    return {
        f"face.{name}": _point(
            value, "cosine",
            f"{about}: {found.accepted(value)} of genuine and {found.falsely_accepted(value)} of impostor comparisons reach it")
        for name, value in (("ghost_match", match), ("ghost_no_match", no_match))
    }


def detector_points(measured: Measured) -> dict[str, dict[str, object]]:
    """The detector's two thresholds were set before; this says what they do."""
    card = next(row for row in measured.matching if row.label == f"{JUDGED_EYES_PX} px tinted")
    ghost = next(row for row in measured.ghosts if row.eyes_px == CLEAR_EYES_PX)
    return {
        "face.detector_min": _point(
            DETECTOR_MIN, "detector score",
            f"public portraits: a face found in {measured.faces}, the lowest score {measured.lowest_score:.3f}; as tinted prints "
            f"with {JUDGED_EYES_PX} px between the eyes {int((card.genuine <= NOT_FOUND).sum())} of {len(card.genuine)} not "
            f"found; a face found in {measured.empty} of textures"),
        "face.upright_sure": _point(
            UPRIGHT_SURE, "detector score",
            f"public portraits: upright the lowest score is {measured.lowest_score:.3f}, lying on a side or upside down the "
            f"highest {measured.lying_score:.3f}; turned until they stand, {measured.lying_right} come out right"),
        "face.ghost_detector_min": _point(
            GHOST_DETECTOR_MIN, "detector score",
            f"grey ghosts of a third of the contrast with {CLEAR_EYES_PX} px between the eyes: "
            f"{int((ghost.genuine <= NOT_FOUND).sum())} of {len(ghost.genuine)} not found; found in {measured.empty_ghosts} of "
            "the right sides of cards that are textures"),
    }


def _point(value: float, unit: str, source: str) -> dict[str, object]:
    return {"value": value, "unit": unit, "source": source}


def print_table(title: str, rows: Sequence[Trials]) -> None:
    print(f"\n{title}\ncondition | threshold | genuine accepted | impostors accepted")
    for row in rows:
        print(f"{row.label}: not found {int((row.genuine <= NOT_FOUND).sum())} + {int((row.impostor <= NOT_FOUND).sum())}; "
              f"genuine 1 % {np.percentile(row.genuine, 1):.3f}, median {np.median(row.genuine):.3f}; "
              f"highest impostor {row.impostor.max():.3f}")
        for threshold in CANDIDATES:
            print(f"    {threshold:.3f} | {row.accepted(threshold)} | {row.falsely_accepted(threshold)}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m models.evaluation.faces", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="folder that holds faces/pairs.csv")
    parser.add_argument("--write", action="store_true", help="write models/calibration/face.json and benchmarks/results")
    parser.add_argument("--sheet", type=Path, default=Path(".cache/faces-worst.png"),
                        help="where the worst pairs are shown; it shows people, so keep it in a folder that git ignores")
    options = parser.parse_args(arguments)
    if not (options.data / "faces" / "pairs.csv").is_file():
        print(f"no faces/pairs.csv in {options.data}: give the data folder by --data", file=sys.stderr)
        return 2
    measured = measure(options.data, local_networks())
    print_table("selfie against portrait", measured.matching)
    print_table("portrait against ghost photo", measured.ghosts)
    values = operating_points(measured)
    points = json.dumps(values, indent=2, ensure_ascii=False)
    print("\n" + points)
    sheet(options.sheet, measured.worst)
    if options.write:
        from benchmarks.report import write

        limits = [float(str(values[f"face.{name}"]["value"])) for name in ("match", "no_match")]
        write("faces", {"seed": SEED, **report(measured.matching[1:], measured.matching[0], measured.alike, *limits)})
        (ROOT / "calibration" / "face.json").write_text(points + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
