"""What people draw where a signature is asked for, as pen lines: the styles that the signature's thresholds were set on.

Signatures are Omniglot's strokes (people who wrote unknown letters; where the archive is at hand), those of the specimens, and
loops and flourishes of our own; the others are blanks, dots, lines, hatchings and typed words.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from models.specimens.signatures import draw_signature
from pipeline.domain.evidence import SignatureKind
from pipeline.networks.api import Array, Image

Lines = list[Array]  # each (N, 2), y downwards
PLAIN_COURSE = 1.4
"""Length over diagonal up to which a letter is but a line."""
Draw = Callable[[np.random.Generator], Lines]


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
            if lines and not is_plain(lines):
                yield lines


def is_plain(lines: Lines) -> bool:
    """Whether it is no more than a line or a dot, as some letters are: that would do as nobody's signature."""
    length = sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)
    return length < PLAIN_COURSE * float(np.hypot(*np.ptp(np.vstack(lines), axis=0)))


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


def underlined(letter: Lines, rng: np.random.Generator) -> Lines:
    """One letter and a stroke under it."""
    low, size = np.vstack(letter).min(axis=0), np.maximum(np.ptp(np.vstack(letter), axis=0), 1.0)
    t = np.linspace(-0.3, 1.3, 20)
    under = np.stack([low[0] + size[0] * t, low[1] + size[1] * (1.15 + rng.uniform(-0.08, 0.08) * t)], axis=1)
    return [*letter, under]


def specimen(rng: np.random.Generator) -> Lines:
    """A signature of the specimens."""
    return [np.array([(point.x, point.y) for point in stroke]) for stroke in draw_signature(rng)[1]]


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


def loop(rng: np.random.Generator) -> Lines:
    """One loop with its run in and out, and nothing else."""
    t = np.linspace(-0.1, rng.uniform(1.0, 1.3), 90)
    angle = 2 * np.pi * t * rng.choice([-1, 1])
    wide, tall, drift = rng.uniform(30, 70), rng.uniform(35, 70), rng.uniform(20, 90)
    return [np.stack([wide * np.sin(angle) + drift * t, tall * np.cos(angle)], axis=1)]


def long_name(rng: np.random.Generator) -> Lines:
    """Ten to sixteen joined letters a row, in one or two rows: low arches and loops that go on and on."""
    lines: Lines = []
    for row in range(int(rng.integers(1, 3))):
        letters = int(rng.integers(10, 17))
        t = np.linspace(0, letters, 30 * letters)
        tall = np.repeat(rng.uniform(0.5, 1.0, letters), 30) * np.where(np.repeat(rng.random(letters), 30) < 0.25, 2.0, 1.0)
        x = 16 * t + 9 * np.sin(2 * np.pi * t)
        lines.append(np.stack([x, 60 * row + 14 * tall * np.cos(2 * np.pi * t + np.sin(t))], axis=1))
    return lines


def straight(rng: np.random.Generator) -> Lines:
    """A line as a hand draws it: slightly bent, slightly shaking."""
    t = np.linspace(-1, 1, 60)
    bend, angle, half = rng.uniform(-0.12, 0.12), rng.uniform(0, np.pi), rng.uniform(40, 150)
    points = np.stack([half * t, half * bend * (1 - t**2) + np.cumsum(rng.normal(0, 0.25, 60))], axis=1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [points @ turn.T]


def there_and_back(rng: np.random.Generator) -> Lines:
    """A line drawn twice or three times over itself."""
    (line,) = straight(rng)
    return [np.vstack([line[:: 1 if k % 2 == 0 else -1] + rng.normal(0, 0.6, 2) for k in range(int(rng.integers(2, 4)))])]


def dots(rng: np.random.Generator) -> Lines:
    """Two to four taps beside each other."""
    places = [np.array([20.0 * k, rng.uniform(-3, 3)]) for k in range(int(rng.integers(2, 5)))]
    return [np.array([place, place + rng.uniform(-0.2, 0.2, 2)]) for place in places]


def dot(rng: np.random.Generator) -> Lines:
    return [np.array([[0.0, 0.0], rng.uniform(-2, 2, 2)])]


def hatching(rng: np.random.Generator) -> Lines:
    """To and fro until the place is covered."""
    count = int(rng.integers(40, 90))
    x = np.linspace(0, rng.uniform(80, 200), count) + rng.normal(0, 2, count)
    y = np.where(np.arange(count) % 2, 0, rng.uniform(50, 100)) + rng.normal(0, 3, count)
    return [np.stack([x, y], axis=1)]


def nothing(_: np.random.Generator) -> Lines:
    return []


def typed(rng: np.random.Generator) -> Image:
    """The mask of a typed word: (400, 1000), 255 where there is ink."""
    mask = np.zeros((400, 1000), np.uint8)
    letters = rng.choice(list("ABCDEFGHJLMNOPRSTUVZ"), int(rng.integers(7, 14)))
    scale = float(rng.uniform(1.2, 2.6))
    place = (40, int(rng.integers(150, 300)))
    cv2.putText(mask, "".join(letters), place, int(rng.integers(0, 4)), scale, 255, int(rng.integers(2, 6)), cv2.LINE_AA)
    return mask


SIGNATURES: dict[str, Draw] = {"specimen": specimen, "flourish": flourish, "loop": loop, "long name": long_name}
OTHERS: dict[str, tuple[Draw, SignatureKind]] = {
    "blank": (nothing, SignatureKind.BLANK), "dot": (dot, SignatureKind.DOT), "taps": (dots, SignatureKind.DOT),
    "line": (straight, SignatureKind.LINE), "line twice over": (there_and_back, SignatureKind.LINE),
    "hatching": (hatching, SignatureKind.SCRIBBLE)}


def with_letters(letters: list[Lines]) -> dict[str, Draw]:
    """The styles that are made of Omniglot's letters; none where there are none."""
    def some(rng: np.random.Generator, count: int) -> list[Lines]:
        return [letters[index] for index in rng.integers(len(letters), size=count)]

    if not letters:
        return {}
    return {"Omniglot, 2 to 3 letters": lambda rng: side_by_side(some(rng, int(rng.integers(2, 4))), rng),
            "Omniglot, a word": lambda rng: side_by_side(some(rng, int(rng.integers(4, 9))), rng),
            "Omniglot, one letter": lambda rng: some(rng, 1)[0],
            "Omniglot, a letter underlined": lambda rng: underlined(some(rng, 1)[0], rng)}
