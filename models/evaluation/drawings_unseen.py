"""Drawings by other means than those of `drawings`, by which the limits were set at first.

Signatures: chained Bézier curves; pen strokes as the sum of lognormal speed pulses (Plamondon's kinematic theory, 1995); the
oscillation model of handwriting (Hollerbach, 1981); initials made of arcs; an X with a flourish.
Others: blanks with a baseline, a frame or a vignette; blobs; ruler's lines, bows and underscores; words set in type.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.evaluation.drawings import Draw, Lines, is_plain
from models.evaluation.drawings_shown import rasterised
from models.specimens.fonts import load, sans_fonts
from pipeline.domain.evidence import SignatureKind
from pipeline.networks.api import Array, Image

WORDS = ("FIRMA", "Juan Pérez", "MARIA LOPEZ", "No firmo", "Carlos Ruiz", "ACEPTO", "Sin firma", "muestra 2024", "firmado")


def bezier(rng: np.random.Generator) -> Lines:
    """One to three scrawls of cubic curves that hang together, drifting to the right."""
    lines: Lines = []
    for stroke in range(int(rng.integers(1, 4))):
        at, heading, points = np.array([60.0 * stroke, rng.uniform(-20, 20)]), rng.uniform(-1, 1), []
        for _ in range(int(rng.integers(3, 9))):
            end = at + np.array([rng.uniform(-15, 60), rng.uniform(-60, 60)])
            first = at + rng.uniform(20, 60) * np.array([np.cos(heading), np.sin(heading)])
            turn = rng.uniform(-2.5, 2.5)
            second = end - rng.uniform(20, 60) * np.array([np.cos(turn), np.sin(turn)])
            points.append(_cubic(at, first, second, end))
            at, heading = end, turn
        lines.append(np.vstack(points))
    return lines


def _cubic(a: Array, b: Array, c: Array, d: Array) -> Array:
    t = np.linspace(0, 1, 24)[:, None]
    return np.asarray((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)


def lognormal(rng: np.random.Generator) -> Lines:
    """Strokes as overlapping pulses of speed, each with its own direction and bend."""
    lines: Lines = []
    left = 0.0
    for _ in range(int(rng.integers(1, 5))):
        pulses = int(rng.integers(4, 14))
        t = np.linspace(0, 0.11 * pulses + 0.5, 30 * pulses)[1:]
        velocity = np.zeros((len(t), 2))
        for pulse in range(pulses):
            since = np.maximum(t - 0.11 * pulse - rng.uniform(0, 0.02), 1e-6)
            sigma, mu = rng.uniform(0.2, 0.4), rng.uniform(-1.9, -1.5)
            speed = np.exp(-((np.log(since) - mu) ** 2) / (2 * sigma**2)) / (since * sigma * np.sqrt(2 * np.pi))
            start, bend = rng.uniform(-np.pi / 2, np.pi / 2) + np.pi * (pulse % 2) * 0.8, rng.uniform(-2, 2)
            along = start + bend * np.clip(np.cumsum(speed) / max(float(speed.sum()), 1e-9), 0, 1)
            velocity += (rng.uniform(25, 70) * speed)[:, None] * np.stack([np.cos(along), np.sin(along)], axis=1)
        velocity[:, 0] += rng.uniform(5, 40)
        path = np.cumsum(velocity * (t[1] - t[0]), axis=0)
        lines.append(path - path.min(axis=0) + [left, rng.uniform(-15, 15)])
        left += float(np.ptp(path[:, 0])) * rng.uniform(0.6, 1.1)
    return lines


def oscillation(rng: np.random.Generator) -> Lines:
    """Two oscillations, across and along, whose strength and phase change from letter to letter, on a steady drift."""
    letters = int(rng.integers(3, 12))
    t = np.linspace(0, letters, 40 * letters)
    knots = np.arange(letters + 1)
    ranges = ((8, 40), (4, 14), (-0.8, 0.8))
    tall, wide, phase = (np.interp(t, knots, rng.uniform(low, high, letters + 1)) for low, high in ranges)
    slant = rng.uniform(-0.2, 0.7)
    y = -tall * np.sin(2 * np.pi * t)
    x = rng.uniform(12, 22) * t + wide * np.sin(2 * np.pi * t + np.pi / 2 + phase) - slant * y
    return [np.stack([x, y], axis=1)]


def initials(rng: np.random.Generator) -> Lines:
    """Two or three capitals made of arcs and strokes, each apart or through each other."""
    lines: Lines = []
    for place in range(int(rng.integers(2, 4))):
        x = place * rng.uniform(30, 60)
        lines.append(np.array([[x, 0.0], [x + rng.uniform(-6, 10), -rng.uniform(50, 80)]]))
        for _ in range(int(rng.integers(1, 3))):
            angle = np.linspace(rng.uniform(-2.2, -1.2), rng.uniform(1.0, 2.6), 24)
            middle, size = np.array([x + 6, -rng.uniform(15, 60)]), rng.uniform(10, 28, 2)
            lines.append(middle + size * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return lines


def cross(rng: np.random.Generator) -> Lines:
    """The X of somebody who does not write, under it most often a flourish."""
    jitter = rng.normal(0, 4, (4, 2))
    lines = [np.array([[0, 0], [60, 70]]) + jitter[:2], np.array([[58, 2], [3, 66]]) + jitter[2:]]
    if rng.random() < 0.7:
        t = np.linspace(0, 1, 60)
        wave = rng.uniform(4, 12) * np.sin(2 * np.pi * rng.uniform(1, 3) * t)
        lines.append(np.stack([-30 + 130 * t, 90 + wave], axis=1))
    return lines


def bow(rng: np.random.Generator) -> Lines:
    """A shallow bow."""
    t, half = np.linspace(-1, 1, 50), rng.uniform(60, 140)
    return [np.stack([half * t, rng.choice([-1, 1]) * half * rng.uniform(0.02, 0.2) * t**2], axis=1)]


def ruler(rng: np.random.Generator) -> Lines:
    """One or two ruler's lines, level, upright or aslant."""
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    length = rng.uniform(80, 260)
    return [np.array([0 * along, length * along]) + gap * across for gap in ((0.0,) if rng.random() < 0.7 else (0.0, length / 8))]


def shaky(rng: np.random.Generator) -> Lines:
    """A line with the slow wave of an unsure hand."""
    t = np.linspace(0, 1, 80)
    wave = sum(rng.uniform(-1.5, 1.5) * np.sin(2 * np.pi * (k * t + rng.random())) for k in range(1, 5))
    return [np.stack([220 * t, wave + rng.uniform(-30, 30) * t], axis=1)]


def blob(rng: np.random.Generator) -> Lines:
    """A tap that is held: a finger that rolls a little."""
    return [np.cumsum(rng.normal(0, 0.25, (12, 2)), axis=0)]


def supersampled(lines: Lines, rng: np.random.Generator) -> Image:
    """By another renderer: drawn three times as large with round joints, then reduced."""
    width, height, pen = int(rng.integers(300, 1000)), int(rng.integers(150, 450)), float(rng.uniform(1, 7))
    points = np.vstack(lines)
    low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-6)
    scale = float(min(rng.uniform(0.4, 0.85) * width / size[0], 0.8 * height / size[1]))
    large = Pillow.new("L", (3 * width, 3 * height), 0)
    brush = ImageDraw.Draw(large)
    for line in lines:
        placed = 3 * ((line - low - size / 2) * scale + [width / 2, height / 2])
        brush.line([tuple(point) for point in placed.tolist()], fill=255, width=max(1, round(3 * pen)), joint="curve")
    return np.asarray(large.resize((width, height), Pillow.Resampling.LANCZOS), np.uint8)


def set_in_type(rng: np.random.Generator) -> Image:
    """A word in one of the free sans faces: (300, 900)."""
    sheet = Pillow.new("L", (900, 300), 0)
    face = load(sans_fonts()[int(rng.integers(len(sans_fonts())))], int(rng.integers(60, 120)))
    ImageDraw.Draw(sheet).text((40, 90), str(rng.choice(WORDS)), fill=255, font=face)
    return np.asarray(sheet, np.uint8)


def framed(rng: np.random.Generator) -> Image:
    """An empty drawing area with its frame, or with the line to sign on."""
    mask = np.zeros((int(rng.integers(200, 700)), int(rng.integers(400, 1400))), np.uint8)
    height, width = mask.shape
    inset, thick = int(rng.integers(0, 8)), int(rng.integers(1, 4))
    cv2.rectangle(mask, (inset, inset), (width - 1 - inset, height - 1 - inset), 255, thick)
    return mask


def vignette(rng: np.random.Generator) -> Image:
    """A blank whose light falls off to the corners, as a picture: (H, W, 3)."""
    height, width = int(rng.integers(200, 900)), int(rng.integers(300, 1600))
    yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    light = rng.uniform(150, 240) * (1 - rng.uniform(0.1, 0.5) * (xx**2 + yy**2) / 2)
    light = light + rng.uniform(0.5, 4) * rng.standard_normal(xx.shape, np.float32)
    return np.asarray(np.repeat(np.clip(light, 0, 255)[:, :, None], 3, axis=2), np.uint8)


def more_than_a_line(draw: Draw) -> Draw:
    """Drawn anew where chance made a mere line of it."""
    def again(rng: np.random.Generator) -> Lines:
        while is_plain(lines := draw(rng)):
            pass
        return lines

    return again


SIGNATURES: dict[str, Draw] = {
    "Bézier scrawl": more_than_a_line(bezier), "lognormal strokes": more_than_a_line(lognormal), "oscillation": oscillation,
    "initials": initials, "X": cross}
OTHERS: dict[str, tuple[Draw, SignatureKind]] = {
    "held tap": (blob, SignatureKind.DOT), "bow": (bow, SignatureKind.LINE), "ruler's line": (ruler, SignatureKind.LINE),
    "unsure line": (shaky, SignatureKind.LINE)}
MASKS = {"set in type": (set_in_type, SignatureKind.PRINT),
         "empty frame": (framed, SignatureKind.BLANK)}


EITHER = ("plain", "transparent", "white on transparent", "light on dark", "JPEG and noise", "paper", "paper in shadow",
          "ruled paper")
"""Ways for which a canvas may be drawn by either renderer."""


def drawn(draw: Draw, rng: np.random.Generator) -> Image:
    """The mask of a drawing, by one of two renderers."""
    lines = draw(rng)
    other = rng.random() < 0.5 and float(np.ptp(np.vstack(lines), axis=0).max()) > 10
    return supersampled(lines, rng) if other else rasterised(lines, rng)
