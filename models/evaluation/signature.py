"""Measures `examine_signature` on drawn cases: `python -m models.evaluation.signature [--strokes ZIP] [--count N] [--seed S]`.

Signatures are Omniglot's pen strokes (people who wrote unknown letters; where the archive is at hand), two or three letters
side by side, and flourishes of our own; the others are blanks, dots, lines, typed words and scribbles. Each is shown as a
phone's drawing (plain or transparent, any ink) and as a photo of signed paper. Prints the counts by kind.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from models.registry import load_calibration
from pipeline.domain.evidence import SignatureKind
from pipeline.networks.api import Array, Image
from pipeline.stages.decode import decode
from pipeline.stages.signature import examine_signature

Lines = list[Array]  # each (N, 2), y downwards
INKS = ((0, 0, 0), (30, 30, 40), (160, 60, 20), (60, 20, 140), (40, 110, 40))
"""BGR: black, near black, blue, red, green."""


def omniglot(archive: Path) -> Iterator[Lines]:
    """The strokes of each drawing of the archive (x, y, t a line; START and BREAK between strokes; y upwards)."""
    with zipfile.ZipFile(archive) as files:
        for name in sorted(name for name in files.namelist() if name.endswith(".txt") and "__MACOSX" not in name):
            lines: Lines = []
            points: list[tuple[float, float]] = []
            for row in files.read(name).decode().splitlines():
                if row.count(",") == 2:
                    x, y, _ = row.split(",")
                    points.append((float(x), -float(y)))
                elif points:
                    lines.append(np.array(points))
                    points = []
            if lines:
                yield lines


def side_by_side(letters: list[Lines], rng: np.random.Generator) -> Lines:
    """A word of letters, each a little larger, smaller, higher or lower than the last."""
    word: Lines = []
    x = 0.0
    for letter in letters:
        low, size = np.vstack(letter).min(axis=0), np.ptp(np.vstack(letter), axis=0)
        scale = rng.uniform(0.7, 1.2) * 80 / max(float(size.max()), 1.0)
        word += [(line - low) * scale + (x, rng.uniform(-12, 12)) for line in letter]
        x += float(size[0]) * scale + rng.uniform(2, 14)
    return word


def flourish(rng: np.random.Generator) -> Lines:
    """One running line of loops, as a quick signature has, sometimes with a stroke under it."""
    t = np.linspace(0, 1, 240)
    loops = rng.uniform(3, 8)
    envelope = 0.35 + 0.65 * np.abs(np.sin(np.pi * (t * rng.uniform(1, 2.5) + rng.uniform(0, 1))))
    x = 260 * t + 22 * np.cos(2 * np.pi * loops * t)
    y = 55 * envelope * np.sin(2 * np.pi * loops * t + rng.uniform(0, 6)) + rng.uniform(-20, 20) * t
    lines = [np.stack([x, y], axis=1)]
    if rng.random() < 0.4:
        lines.append(np.array([[10, 70], [140, 62 + rng.uniform(-10, 10)], [270, 68]]))
    return lines


def straight(rng: np.random.Generator) -> Lines:
    """A line as a hand draws it: slightly bent, slightly shaking."""
    t = np.linspace(-1, 1, 60)
    bend, angle, half = rng.uniform(-0.12, 0.12), rng.uniform(0, np.pi), rng.uniform(40, 150)
    points = np.stack([half * t, half * bend * (1 - t**2) + np.cumsum(rng.normal(0, 0.25, 60))], axis=1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [points @ turn.T]


def dots(rng: np.random.Generator) -> Lines:
    return [np.array([[0.0, 0.0], rng.uniform(-2, 2, 2)])]


def hatching(rng: np.random.Generator) -> Lines:
    """To and fro until the place is covered."""
    count = int(rng.integers(40, 90))
    x = np.linspace(0, rng.uniform(80, 200), count) + rng.normal(0, 2, count)
    y = np.where(np.arange(count) % 2, 0, rng.uniform(50, 100)) + rng.normal(0, 3, count)
    return [np.stack([x, y], axis=1)]


def canvas(lines: Lines, rng: np.random.Generator, span: float | None = None) -> tuple[Image, Image]:
    """A phone's drawing area, white with black lines, and the mask of the ink; lines fill `span` of its width."""
    width, height = int(rng.integers(600, 1400)), int(rng.integers(300, 700))
    mask = np.zeros((height, width), np.uint8)
    if lines:
        points = np.vstack(lines)
        low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-6)
        fits = min(0.9 * width / size[0], 0.85 * height / size[1])
        scale = min(fits, (span or rng.uniform(0.35, 0.85)) * width / float(size.max())) if size.max() > 10 else 1.0
        shift = (np.array([width, height]) - size * scale) * rng.uniform(0.3, 0.7, 2)
        pen = int(rng.integers(3, 9))
        for line in lines:
            cv2.polylines(mask, [np.round(((line - low) * scale + shift) * 8).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 3)
    return np.full((height, width, 3), 255, np.uint8), mask


def typed(rng: np.random.Generator) -> Image:
    """The mask of a typed word."""
    mask = np.zeros((400, 1000), np.uint8)
    letters = rng.choice(list("ABCDEFGHJLMNOPRSTUVZ"), int(rng.integers(7, 14)))
    scale = float(rng.uniform(1.2, 2.6))
    place = (40, int(rng.integers(150, 300)))
    cv2.putText(mask, "".join(letters), place, int(rng.integers(0, 4)), scale, 255, int(rng.integers(2, 6)), cv2.LINE_AA)
    return mask


def shown(mask: Image, rng: np.random.Generator, way: str) -> Image:
    """Ink of a mask as the service gets it: `plain`, `transparent` (a PNG with alpha) or `paper` (a photo)."""
    ink = np.array(INKS[rng.integers(len(INKS))], dtype=np.float32)
    if way == "transparent":
        drawing = np.dstack([np.broadcast_to(ink.astype(np.uint8), (*mask.shape, 3)), mask])
        return decode(cv2.imencode(".png", drawing)[1].tobytes()).view
    alpha = mask[:, :, None].astype(np.float32) / 255
    if way == "plain":
        paper = np.full((*mask.shape, 3), 255.0 if rng.random() < 0.8 else rng.uniform(225, 250), np.float32)
        return np.asarray(paper * (1 - alpha) + ink * alpha, dtype=np.uint8)
    height, width = mask.shape
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = rng.uniform(-0.35, 0.35, 2)
    light = 1 + slope[0] * (xx / width - 0.5) + slope[1] * (yy / height - 0.5)
    paper = (rng.uniform(150, 215) * light)[:, :, None] * np.array([rng.uniform(0.9, 1.05), 1.0, rng.uniform(0.95, 1.08)])
    photo = paper * (1 - 0.85 * alpha) + ink * 0.85 * alpha
    photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.5, 1.4)) + rng.normal(0, rng.uniform(1, 5), photo.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))]
    data = cv2.imencode(".jpg", np.clip(photo, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)


def cases(letters: list[Lines], count: int, rng: np.random.Generator) -> Iterator[tuple[str, str, Image]]:
    """(what was drawn, how it is shown, the picture)."""
    for _ in range(count):
        drawn: dict[str, Image] = {
            "blank": canvas([], rng)[1], "dot": canvas(dots(rng), rng)[1], "line": canvas(straight(rng), rng)[1],
            "print": typed(rng), "scribble": canvas(hatching(rng), rng, 0.4)[1], "flourish": canvas(flourish(rng), rng)[1],
            "too small": canvas(flourish(rng), rng, 0.07)[1],
        }
        if letters:
            some = [letters[i] for i in rng.integers(len(letters), size=int(rng.integers(2, 4)))]
            drawn["letters"] = canvas(side_by_side(some, rng), rng)[1]
            drawn["one letter"] = canvas(letters[int(rng.integers(len(letters)))], rng)[1]
        for what, mask in drawn.items():
            for way in ("plain", "transparent", "paper"):
                yield what, way, shown(mask, rng, way)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strokes", type=Path, help="Omniglot's strokes_background archive")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    letters = list(omniglot(options.strokes)) if options.strokes else []
    calibration = load_calibration()
    table: dict[str, Counter[SignatureKind]] = {}
    for what, way, picture in cases(letters, options.count, rng):
        kind = examine_signature(picture, (), calibration).kind
        table.setdefault(f"{what}, {way}", Counter())[kind] += 1
    for row, counts in sorted(table.items()):
        print(f"{row:26}", json.dumps({kind.value: number for kind, number in counts.most_common()}))


if __name__ == "__main__":
    main()
