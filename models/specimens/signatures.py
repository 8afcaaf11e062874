"""Signatures as a finger draws them on a phone's screen: strokes with time and pressure, and the picture of them."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.evidence import SignatureKind
from pipeline.domain.support import StrokePoint

WIDTH, HEIGHT = 1200, 500
"""Pixels of the drawing, about a phone's screen held sideways."""
_SAMPLE_MS = 8.0
"""Touch screens report at 120 Hz."""
_OVERSAMPLE = 2
Path = NDArray[np.float64]  # (N, 2) in drawing pixels
Strokes = tuple[tuple[StrokePoint, ...], ...]

DRAWABLE = (SignatureKind.SIGNATURE, SignatureKind.BLANK, SignatureKind.DOT, SignatureKind.LINE, SignatureKind.SCRIBBLE)


def draw_signature(rng: np.random.Generator, kind: SignatureKind = SignatureKind.SIGNATURE) -> tuple[bytes, Strokes]:
    """(PNG bytes of a 1200 x 500 picture, dark ink on white; its strokes). Raises ValueError for a kind nobody draws."""
    if kind not in DRAWABLE:
        raise ValueError(f"a signature of kind {kind} cannot be drawn")
    paths = {SignatureKind.SIGNATURE: _signature, SignatureKind.BLANK: _nothing, SignatureKind.DOT: _dot,
             SignatureKind.LINE: _line, SignatureKind.SCRIBBLE: _scribble}[kind](rng)
    strokes = _timed(rng, paths)
    return _picture(rng, strokes), strokes


def strokes_json(strokes: Strokes) -> list[list[dict[str, float]]]:
    """The form that `support.json` holds; coordinates to a tenth of a pixel, pressure to two places."""
    return [[{"x": round(point.x, 1), "y": round(point.y, 1), "t": round(point.t or 0.0, 1),
              "pressure": round(point.pressure or 0.0, 2)} for point in stroke] for stroke in strokes]


def _nothing(_: np.random.Generator) -> list[Path]:
    return []


def _dot(rng: np.random.Generator) -> list[Path]:
    centre = rng.uniform([200, 120], [WIDTH - 200, HEIGHT - 120])
    return [centre + rng.normal(0, 1.2, (4, 2))]


def _line(rng: np.random.Generator) -> list[Path]:
    start, end = rng.uniform([100, 150], [350, 350]), rng.uniform([800, 150], [1100, 350])
    middle = (start + end) / 2 + rng.normal(0, 8, 2)
    return [_smooth(np.array([start, middle, end]), 60)]


def _scribble(rng: np.random.Generator) -> list[Path]:
    """Hatching to and fro, as a child blackens a field."""
    turns = int(rng.integers(28, 46))
    left, right = float(rng.uniform(150, 300)), float(rng.uniform(850, 1050))
    top, bottom = float(rng.uniform(80, 130)), float(rng.uniform(370, 430))
    x = np.linspace(left, right, turns) + rng.normal(0, 10, turns)
    y = np.where(np.arange(turns) % 2 == 0, top, bottom) + rng.normal(0, 14, turns)
    back = np.column_stack([x[::-1] + rng.normal(0, 8, turns), y + rng.normal(0, 10, turns)])
    return [_smooth(np.column_stack([x, y]), turns * 14), _smooth(back, turns * 14)]


def _signature(rng: np.random.Generator) -> list[Path]:
    """A large initial or two, a run of small letters, most often a flourish, now and then a dot or a bar."""
    base, size = float(rng.uniform(250, 300)), float(rng.uniform(60, 95))
    slant = float(rng.uniform(0.05, 0.45))
    x = float(rng.uniform(120, 200))
    paths: list[Path] = []
    for _ in range(int(rng.integers(1, 3))):
        initial, x = _initial(rng, x, base, size * float(rng.uniform(1.9, 2.6)))
        run, x = _letters(rng, x, base, size, int(rng.integers(3, 7)))
        joined = rng.random() < 0.7
        paths += [_smooth(np.vstack([initial, run]), 260)] if joined else [_smooth(initial, 120), _smooth(run, 160)]
        x += float(rng.uniform(20, 60))
    if rng.random() < 0.75:
        paths.append(_flourish(rng, 140, min(x, WIDTH - 100), base + size * float(rng.uniform(0.35, 0.8)), size))
    if rng.random() < 0.4:
        dot = np.array([x - float(rng.uniform(60, 200)), base - size * 1.7])
        paths.append(dot + np.cumsum(rng.normal(0, 1.5, (5, 2)), axis=0))
    sheared = [np.column_stack([path[:, 0] - slant * (path[:, 1] - base), path[:, 1]]) for path in paths]
    return _fit(sheared, float(rng.uniform(0.55, 0.85)))


def _initial(rng: np.random.Generator, x: float, base: float, tall: float) -> tuple[Path, float]:
    """Knots of a capital: an entry from the left, a high stem, one or two bowls."""
    w = tall * float(rng.uniform(0.5, 0.8))
    knots = [(x - 0.3 * w, base - 0.55 * tall), (x + 0.1 * w, base - 0.95 * tall), (x + 0.2 * w, base - 0.2 * tall), (x, base)]
    for _ in range(int(rng.integers(1, 3))):
        knots += [(x + 0.15 * w, base - 0.8 * tall), (x + 0.9 * w, base - 0.85 * tall), (x + 0.95 * w, base - 0.45 * tall),
                  (x + 0.3 * w, base - 0.4 * tall)]
    knots.append((x + w, base))
    if rng.random() < 0.5:
        knots = knots[int(rng.integers(1, 4)):]  # other capitals: without the entry, or a bowl alone
    path = np.array(knots) + rng.normal(0, 0.14 * tall, (len(knots), 2))
    return path, x + w


def _letters(rng: np.random.Generator, x: float, base: float, size: float, count: int) -> tuple[Path, float]:
    """Knots of small joined letters: arches, loops up, loops down, ever flatter towards the end."""
    knots: list[tuple[float, float]] = []
    for letter in range(count):
        h = size * float(rng.uniform(0.6, 1.1)) * (1 - 0.5 * letter / count)
        w = size * float(rng.uniform(0.55, 0.95))
        shape = int(rng.integers(4))
        if shape == 0:
            knots += [(x + 0.3 * w, base - h), (x + 0.55 * w, base), (x + w, base - 0.5 * h)]
        elif shape == 1:
            knots += [(x + 0.6 * w, base - 1.9 * h), (x + 0.25 * w, base - 2.0 * h), (x + 0.4 * w, base), (x + w, base - 0.3 * h)]
        elif shape == 2:
            knots += [(x + 0.5 * w, base - 0.6 * h), (x + 0.45 * w, base + 1.1 * h), (x + 0.15 * w, base + 0.9 * h),
                      (x + w, base - 0.4 * h)]
        else:
            knots += [(x + 0.6 * w, base - h), (x + 0.1 * w, base - 0.5 * h), (x + 0.5 * w, base), (x + 0.65 * w, base - 0.9 * h),
                      (x + 0.8 * w, base), (x + w, base - 0.3 * h)]
        x += w
    path = np.array(knots)
    return path + rng.normal(0, 0.06 * size, path.shape), x


def _flourish(rng: np.random.Generator, left: float, right: float, y: float, size: float) -> Path:
    """The rubrica: to and fro under the name, with loops at the turns."""
    knots = [(left, y)]
    for turn in range(int(rng.integers(1, 4))):
        end, other = (right, left) if turn % 2 == 0 else (left + 0.15 * (right - left), right)
        toward = math.copysign(1.0, end - other)
        knots += [((left + right) / 2, y + size * float(rng.uniform(-0.25, 0.15))),
                  (end, y - size * float(rng.uniform(0.0, 0.3))),
                  (end + toward * 0.25 * size, y + 0.25 * size), (end - toward * 0.2 * size, y + 0.45 * size)]
        y += size * 0.4
    return _smooth(np.array(knots) + rng.normal(0, 0.05 * size, (len(knots), 2)), 130)


def _smooth(knots: Path, count: int) -> Path:
    """A Catmull-Rom curve through the knots, sampled evenly in its parameter."""
    ends = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0, len(knots) - 1, count)
    k = np.minimum(t.astype(int), len(knots) - 2)
    u = (t - k)[:, None]
    a, b, c, d = ends[k], ends[k + 1], ends[k + 2], ends[k + 3]
    curve = 2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3
    return np.asarray(curve / 2, np.float64)


def _fit(paths: list[Path], share: float) -> list[Path]:
    """Scales and centres the whole so that it takes `share` of the drawing's width, or of its height where that binds."""
    every = np.vstack(paths)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = min(share * WIDTH / (high[0] - low[0]), 0.82 * HEIGHT / (high[1] - low[1]))
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    return [(path - (low + high) / 2) * scale + middle for path in paths]


def _timed(rng: np.random.Generator, paths: list[Path]) -> Strokes:
    """Adds time (a pause between strokes) and pressure (less where the finger is fast), and a finger's tremble."""
    strokes, clock = [], 0.0
    for path in paths:
        trembling = path + rng.normal(0, 0.5, path.shape)
        speed = np.linalg.norm(np.gradient(trembling, axis=0), axis=1) if len(path) > 1 else np.zeros(1)
        pressure = np.clip(0.85 - 0.35 * speed / (speed.max() + 1e-6) + rng.normal(0, 0.02), 0.2, 1.0)
        strokes.append(tuple(
            StrokePoint(float(x), float(y), round(clock + _SAMPLE_MS * i, 1), float(p))
            for i, ((x, y), p) in enumerate(zip(trembling, pressure, strict=True))))
        clock += _SAMPLE_MS * len(path) + float(rng.uniform(120, 400))
    return tuple(strokes)


def _picture(rng: np.random.Generator, strokes: Strokes) -> bytes:
    """Ink on white, drawn at twice the size and reduced, each piece as thick as its pressure says."""
    ink = tuple(float(v) for v in rng.choice([[20, 20, 20], [120, 40, 20], [60, 30, 20]]))
    pen = float(rng.uniform(3.5, 6.5))
    canvas = np.full((HEIGHT * _OVERSAMPLE, WIDTH * _OVERSAMPLE, 3), 255, np.uint8)
    for stroke in strokes:
        for before, after in itertools.pairwise(stroke):
            thick = max(1, round(pen * _OVERSAMPLE * (0.55 + 0.6 * (after.pressure or 0.5))))
            ends = [(round(p.x * _OVERSAMPLE * 16), round(p.y * _OVERSAMPLE * 16)) for p in (before, after)]
            cv2.line(canvas, ends[0], ends[1], ink, thick, cv2.LINE_AA, 4)
    image = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    done, encoded = cv2.imencode(".png", image)
    if not done:
        raise RuntimeError("the signature's PNG could not be encoded")
    return encoded.tobytes()
