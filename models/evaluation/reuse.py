"""Measures what reuse finds and what it confuses, and sets its thresholds: `python -m models.evaluation.reuse [--write]`.

Found: a photograph that comes again after a change (cropped, compressed, smaller, turned, lighter or darker) against itself.
Confused: different cards of one model, different signatures, different people. Cards and signatures are drawn here; faces are
the public pictures of the data folder (`--data`), without which the face's thresholds stay as they are. Pictures are never
written anywhere. `--write` puts the thresholds into models/calibration/reuse.json and the figures into benchmarks/results.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.evaluation.faces import DEFAULT_DATA, PRINTS, printed, read_pairs
from models.evaluation.rates import Rate
from models.registry import ROOT, load_calibration
from models.specimens.card import CardSpec, draw_card
from models.specimens.faces import load_faces
from models.specimens.make import JITTER_MM, make_specimens
from models.specimens.people import invent_person
from models.specimens.signatures import draw_signature
from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture, Part
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import Fingerprints
from pipeline.domain.reuse import Kind, Limits, hash_distance, in_common, kind_of
from pipeline.domain.support import SupportInfo
from pipeline.networks.api import Array, Image, Networks
from pipeline.networks.face_recogniser import align
from pipeline.stages.decode import decode, open_picture
from pipeline.stages.fingerprint import HASH_BITS, drawing_hash, face_hash, picture_hash
from pipeline.stages.match_face import detect_faces, embed, find_selfie
from pipeline.stages.signature_ink import ink_mask
from pipeline.verify import examine
from pipeline.wiring import local_networks

SEED = 88_117
"""Apart from every seed that is trained, benchmarked or tested on."""
LIMITS = {"front": 51, "back": 51, "selfie": 84, "signature": 102}
"""Bits of 512, set by the distances below: between the farthest copy and the nearest other, and nearer to the copies."""
PORTRAIT = 0.9
"""Cosine between the copies of one photograph and other photographs of the same person."""
FACE_EYES_PX = 24
"""Pixels between the eyes of a printed portrait, as in a good capture."""
ONE_LOOK_UP = 1e-8
"""False match rate of one comparison that leaves one false lead in a hundred look-ups among a million faces."""
CORNER_PX, NOISE = 2.0, 4.0
"""Of a card's frame 856 pixels wide: how far its corners are found from their place (0.2 mm); a camera's noise in grey levels."""
FRAME = (856, 540)
Change = Callable[[Image, np.random.Generator], Image]


def crop(image: Image, rng: np.random.Generator) -> Image:
    """Up to 5 % off each edge."""
    height, width = image.shape[:2]
    left, right, top, bottom = (int(rng.uniform(0.01, 0.05) * size) for size in (width, width, height, height))
    return np.asarray(image[top : height - bottom, left : width - right], np.uint8)


def smaller(image: Image, rng: np.random.Generator) -> Image:
    scale = float(rng.uniform(0.6, 0.9))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def turned(image: Image, rng: np.random.Generator) -> Image:
    """2 to 6 degrees, either way."""
    height, width = image.shape[:2]
    angle = float(rng.uniform(2, 6) * rng.choice([-1, 1]))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.97)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8)


def relit(image: Image, rng: np.random.Generator) -> Image:
    return np.asarray(np.clip(image * rng.uniform(0.75, 1.2) + rng.uniform(-15, 15), 0, 255), np.uint8)


def unchanged(image: Image, _: np.random.Generator) -> Image:
    return image


CHANGES: dict[str, tuple[Change, int]] = {
    "crop": (crop, 85), "re-JPEG": (unchanged, 40), "resize": (smaller, 85), "rotation": (turned, 85), "brightness": (relit, 85)}
"""Each with the JPEG quality that it is saved with."""


@dataclass(frozen=True, slots=True)
class Found:
    """One copy: which part, after which change, by what the product finds it, in how many bits its hash differs (None: there is
    none), and of what."""

    part: str
    change: str
    by: frozenset[Kind]
    distance: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Apart:
    """Distances between different ones of a kind."""

    kind: str
    distances: list[int]

    def rate(self, limit: int) -> Rate:
        return Rate(sum(distance <= limit for distance in self.distances), len(self.distances))

    def expected(self, limit: int) -> float:
        """How often a pair would be called the same by the binomial distribution of this mean and spread (as iris codes are
        judged): the number of independent bits is what the spread says, not 512."""
        shares = np.array(self.distances) / HASH_BITS
        mean, spread = float(shares.mean()), float(shares.var())
        bits = max(1, int(mean * (1 - mean) / spread))
        return math.fsum(math.exp(math.lgamma(bits + 1) - math.lgamma(k + 1) - math.lgamma(bits - k + 1)
                                  + k * math.log(mean) + (bits - k) * math.log1p(-mean))
                         for k in range(int(bits * limit / HASH_BITS) + 1))


def jpeg(image: Image, quality: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def sides_found(folders: Sequence[Path], networks: Networks, calibration: Calibration, limits: Limits) -> list[Found]:
    """Both card photographs of drawn supports, each alone, changed and examined anew."""
    found = []
    for number, folder in enumerate(folders):
        for part in (Part.FRONT, Part.BACK):
            rng = np.random.default_rng([SEED, number, part is Part.BACK])
            data = (folder / f"{part}.jpg").read_bytes()
            first = prints_of(part, data, networks, calibration)
            if part not in first.perceptual:  # a side that was not seen is asked for again
                continue
            for name, (change, quality) in CHANGES.items():
                again = prints_of(part, jpeg(change(decode(data).view, rng), quality), networks, calibration)
                distance = hash_distance(first.perceptual[part], again.perceptual[part]) if part in again.perceptual else None
                found.append(Found(part.value, name, in_common(first, again, limits), distance, folder.name))
    return found


def prints_of(part: Part, data: bytes, networks: Networks, calibration: Calibration) -> Fingerprints:
    """Of a support that has this part alone."""
    capture = Capture(data if part is Part.FRONT else None, data if part is Part.BACK else None, None, None, SupportInfo())
    return examine(capture, networks, calibration).fingerprints


def cards_apart(count: int) -> list[Apart]:
    """Flat drawings of different cards of one model, each located a little off, lit and noisy in its own way. The portraits are
    few, so a seventh of the pairs share theirs: harder than life."""
    faces, apart = load_faces(), []
    for model in (CardModel.E, CardModel.G):
        hashes: dict[Side, list[int]] = {side: [] for side in Side}
        for number in range(count):
            chooser, rng = random.Random(f"{SEED}/{model}/{number}"), np.random.default_rng([SEED, number])
            face = faces[number % len(faces)]
            issue = 2018 if model is CardModel.E else 2021
            person = invent_person(chooser, face.identity, adult_by=2013, abroad=False)
            spec = CardSpec(model, person, issue, issue + 10, chooser.randrange(2**31), JITTER_MM)
            card = draw_card(spec, face.portrait())
            for side, drawn in ((Side.FRONT, card.front), (Side.BACK, card.back)):
                value = picture_hash(captured(drawn.image, rng))
                hashes[side] += [] if value is None else [value]
        apart += [Apart(f"{side} of {model}", distances(hashes[side])) for side in Side]
    return apart


def captured(flat: Image, rng: np.random.Generator) -> Image:
    small = cv2.resize(flat, FRAME, interpolation=cv2.INTER_AREA)
    corners = np.array([[0, 0], [FRAME[0], 0], FRAME, [0, FRAME[1]]], np.float32)
    moved = corners + rng.normal(0, CORNER_PX, (4, 2)).astype(np.float32)
    seen = cv2.warpPerspective(small, cv2.getPerspectiveTransform(moved, corners), FRAME, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.5, 1.2)))
    return np.asarray(np.clip(soft * rng.uniform(0.7, 1.1) + rng.normal(0, NOISE, soft.shape), 0, 255), np.uint8)


def distances(hashes: Iterable[int]) -> list[int]:
    return [hash_distance(a, b) for a, b in itertools.combinations(hashes, 2)]


def moved(image: Image, rng: np.random.Generator) -> Image:
    """A drawing elsewhere on its canvas, and smaller."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, float(rng.uniform(0.45, 0.95)))
    matrix[:, 2] += np.array([rng.uniform(-60, 60), rng.uniform(-25, 25)])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=(255, 255, 255)), np.uint8)


def signatures(count: int, calibration: Calibration, limit: int) -> tuple[list[Found], Apart]:
    """Drawn signatures again after changes, and each against each."""
    found, hashes = [], []
    changes: dict[str, tuple[Change, int]] = {
        "shift and scale": (moved, 95), "re-JPEG": (unchanged, 40), "brightness": (relit, 85)}
    for number in range(count):
        rng = np.random.default_rng([SEED, number])
        picture = open_picture(draw_signature(rng)[0], FRAME[0])
        value = None if picture is None else drawing_hash(ink_mask(picture.view, calibration))
        if picture is None or value is None:
            raise ValueError(f"signature {number} has no ink")
        hashes.append(value)
        for name, (change, quality) in changes.items():
            again = drawing_hash(ink_mask(decode(jpeg(change(picture.view, rng), quality)).view, calibration))
            found.append(_by_hash(Part.SIGNATURE, name, value, again, limit, str(number)))
    return found, Apart("signatures", distances(hashes))


def _by_hash(part: Part, change: str, first: int, again: int | None, limit: int, source: str) -> Found:
    distance = None if again is None else hash_distance(first, again)
    near = distance is not None and distance <= limit
    return Found(part.value, change, frozenset({kind_of(part)} if near else ()), distance, source)


@dataclass(frozen=True, slots=True)
class Faces:
    """Selfies again after changes, selfies of different people, and cosines of printed portraits: of one photograph printed
    twice, of one person's photographs, of two people's."""

    found: list[Found]
    people: Apart
    same_person: Apart
    copies: list[float]
    genuine: list[float]
    impostor: list[float]


def faces(data: Path, networks: Networks, calibration: Calibration) -> Faces:
    """Public photographs. Every third is changed; every one is printed as a card's portrait and found again."""

    def seen(image: Image) -> Array | None:
        face, _ = find_selfie(image, networks, calibration)
        return None if face is None else embed([align(image, face.landmarks)], networks)[0]

    pairs = read_pairs(data)
    selfies: dict[str, Array] = {}
    portraits: dict[str, Array] = {}
    found, copies = [], []
    for number, name in enumerate(sorted({path for pair in pairs for path in (pair.a, pair.b)})):
        rng = np.random.default_rng([SEED, number])
        image = decode((data / name).read_bytes(), 800).view
        first = seen(image)
        detected = detect_faces(image, networks, calibration)
        if first is None or not detected:
            continue
        selfies[name] = first
        style = str(rng.choice(PRINTS))
        portrait, copy = (seen(printed(image, detected[0], FACE_EYES_PX, style, rng)[0]) for _ in range(2))
        if portrait is not None and copy is not None:
            portraits[name] = portrait
            copies.append(float(portrait @ copy))
        for change_name, (change, quality) in CHANGES.items() if number % 3 == 0 else ():
            again = seen(decode(jpeg(change(image, rng), quality)).view)
            hashed = None if again is None else face_hash(again)
            found.append(_by_hash(Part.SELFIE, change_name, face_hash(first), hashed, LIMITS["selfie"], name))

    both = [pair for pair in pairs if pair.a in selfies and pair.b in selfies]
    apart = {same: [hash_distance(face_hash(selfies[pair.a]), face_hash(selfies[pair.b])) for pair in both if pair.same is same]
             for same in (True, False)}
    cosines = {same: [float(portraits[pair.a] @ portraits[pair.b]) for pair in pairs
                      if pair.same is same and pair.a in portraits and pair.b in portraits] for same in (True, False)}
    return Faces(found, Apart("selfies of different people", apart[False]),
                 Apart("other selfies of one person", apart[True]), copies, cosines[True], cosines[False])


def face_threshold(impostor: Sequence[float]) -> float:
    """The cosine that a normal distribution of the impostors' mean and spread passes in `ONE_LOOK_UP`, upwards to a hundredth."""
    from statistics import NormalDist

    return math.ceil(100 * NormalDist.from_samples(impostor).inv_cdf(1 - ONE_LOOK_UP)) / 100


def report(found: Sequence[Found], apart: Sequence[Apart], seen: Faces | None) -> dict[str, Any]:
    """Counts and bounds, as JSON."""
    result: dict[str, Any] = {"seed": SEED, "limits": LIMITS, "found": {}, "apart": {}, "missed": []}
    for part in dict.fromkeys(row.part for row in found):
        rows = [row for row in found if row.part == part]
        known = [row.distance for row in rows if row.distance is not None and row.distance <= LIMITS[part]]
        result["found"][part] = {
            "all": _share(rows, _found), "seen": _share([row for row in rows if row.distance is not None], _found),
            "by hash": _share(rows, _near), "by picture": _share(rows, lambda row: kind_of(row.part) in row.by),
            "farthest": max(known),
            "changes": {change: _share([row for row in rows if row.change == change], _found)
                        for change in dict.fromkeys(row.change for row in rows)}}
        result["missed"] += [{"part": row.part, "change": row.change, "source": row.source, "bits": row.distance}
                             for row in rows if not _found(row)]
    for one in apart:
        limit = next((limit for part, limit in LIMITS.items() if one.kind.startswith(part)))
        result["apart"][one.kind] = {**one.rate(limit).json(), "nearest": min(one.distances), "expected": one.expected(limit)}
    if seen is not None:
        threshold = face_threshold(seen.impostor)
        result["face"] = {"threshold": threshold, "found": _reached(seen.genuine, threshold),
                          "confused": _reached(seen.impostor, threshold), "most_alike_impostors": max(seen.impostor)}
        result["portrait"] = {"found": _reached(seen.copies, PORTRAIT), "other": _reached(seen.genuine, PORTRAIT),
                              "least": min(seen.copies), "most_alike_others": max(seen.genuine)}
        result["same_person"] = seen.same_person.rate(LIMITS["selfie"]).json()
    return result


def _reached(cosines: Sequence[float], threshold: float) -> dict[str, Any]:
    return Rate(sum(one >= threshold for one in cosines), len(cosines)).json()


def _found(row: Found) -> bool:
    """By what leads to a person under any policy; a like face alone does not."""
    return bool(row.by - {Kind.FACE})


def _near(row: Found) -> bool:
    return row.distance is not None and row.distance <= LIMITS[row.part]


def _share(rows: Sequence[Found], true: Callable[[Found], bool]) -> dict[str, Any]:
    return Rate(sum(map(true, rows)), len(rows)).json()


def thresholds(result: dict[str, Any]) -> dict[str, Any]:
    """models/calibration/reuse.json."""
    def source(parts: Sequence[str], kinds: Sequence[str]) -> str:
        copies = "; ".join(f"{part}: {one['by hash']['said']} within, farthest of them {one['farthest']} bits"
                           for part in parts for one in [result["found"][part]])
        others = "; ".join(f"{kind}: {one['hits']} of {one['trials']} alike (at most {one['high95']:.1e}), nearest "
                           f"{one['nearest']} bits, expected {one['expected']:.0e}"
                           for kind in kinds for one in [result["apart"][kind]])
        return f"`make evaluate-reuse`, seed {SEED}. Copies after five changes, {copies}. Different ones, {others}"

    cards = [kind for kind in result["apart"] if kind.startswith(("front", "back"))]
    rows = {"reuse.side_bits": (LIMITS["front"], source(("front", "back"), cards)),
            "reuse.signature_bits": (LIMITS["signature"], source(("signature",), ("signatures",)))}
    if "face" in result:
        face, one = result["face"], result["same_person"]
        rows["reuse.selfie_bits"] = (LIMITS["selfie"], source(("selfie",), ("selfies of different people",))
                                     + f"; other photographs of one person: {one['said']} alike")
        printed_ones = f"public photographs printed as portraits of {FACE_EYES_PX} px between the eyes"
        said = (f"{printed_ones}: two of one person reach it in {face['found']['said']}, of two people in "
                f"{face['confused']['hits']} of {face['confused']['trials']} (at most {face['confused']['high95']:.1e}; most "
                f"alike {face['most_alike_impostors']:.2f}); set where a normal fit of the latter is passed in "
                f"{ONE_LOOK_UP:.0e}, for one false lead in a hundred look-ups among a million")
        copies = (f"{printed_ones}: one photograph printed twice reaches it in {result['portrait']['found']['said']} (least "
                  f"{result['portrait']['least']:.3f}), another of the same person in {result['portrait']['other']['said']} "
                  f"(most alike {result['portrait']['most_alike_others']:.3f})")
        return {**_rows(rows), "reuse.face": {"value": face["threshold"], "unit": "cosine", "source": said},
                "reuse.portrait": {"value": PORTRAIT, "unit": "cosine", "source": copies}}
    return _rows(rows)


def _rows(rows: dict[str, tuple[int, str]]) -> dict[str, Any]:
    return {name: {"value": value, "unit": "bits of 512", "source": source} for name, (value, source) in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supports", type=int, default=40, help="drawn supports whose photographs are changed")
    parser.add_argument("--cards", type=int, default=125, help="flat cards of each of two models")
    parser.add_argument("--signatures", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="the folder that holds faces/pairs.csv")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    networks, calibration = local_networks(), load_calibration()
    folders = make_specimens(Path(".cache/reuse"), options.supports, SEED, "normal", ("good",), long_side=2000, jobs=options.jobs)

    found, apart = sides_found(folders, networks, calibration, Limits.of(calibration)), cards_apart(options.cards)
    drawn, between = signatures(options.signatures, calibration, LIMITS["signature"])
    seen = faces(options.data, networks, calibration) if (options.data / "faces" / "pairs.csv").exists() else None
    found, apart = [*found, *drawn, *(seen.found if seen else ())], [*apart, between, *([seen.people] if seen else ())]
    result = report(found, apart, seen)
    print(json.dumps(result, indent=1))
    if options.write:
        from benchmarks.report import write

        path = ROOT / "calibration" / "reuse.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        lines = [f'  "{name}": {json.dumps(row, ensure_ascii=False)}' for name, row in {**kept, **thresholds(result)}.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        write("reuse_accuracy", result)


if __name__ == "__main__":
    main()
