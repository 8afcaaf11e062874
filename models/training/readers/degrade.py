"""From ink to what a phone's rectified card shows: paper with pattern, overprint, blur, light, noise, JPEG, jitter."""

from __future__ import annotations

import random
from functools import cache

import cv2
import numpy as np

from models.specimens.fonts import load, sans_fonts
from pipeline.networks.api import Array

Grey = Array
"""uint8 grey levels."""
Layer = Array
"""float32 grey levels, or shares."""
TEXTURES, TEXTURE_H, TEXTURE_W = 48, 160, 1600


def print_on_paper(ink: Grey, rng: random.Random) -> Layer:
    """Alpha (h, w) to grey levels (h, w) float32: patterned pastel paper, weak overprint, uneven ink."""
    h, w = ink.shape
    paper = rng.uniform(120, 250)
    page = np.full((h, w), paper, np.float32)
    if rng.random() < 0.75:
        page += _patch(_textures()[rng.randrange(TEXTURES)], h, w, rng) * rng.uniform(2, 26)
    if rng.random() < 0.3:
        page += _patch(_overprints()[rng.randrange(len(_overprints()))], h, w, rng) * rng.uniform(-60, -8)
    if rng.random() < 0.1:
        ink = cv2.dilate(ink, np.ones((2, 2), np.uint8))
    elif rng.random() < 0.15:
        ink = cv2.erode(ink, np.ones((2, 2), np.uint8))
    darkness = rng.uniform(0.35, 0.98) if rng.random() < 0.8 else rng.uniform(0.22, 0.5)
    alpha = ink.astype(np.float32) * (darkness / 255)
    return np.asarray(page * (1 - alpha) + rng.uniform(0, 50) * alpha, dtype=np.float32)


def photograph(page: Layer, matrix: Array, size: tuple[int, int], blur: float, rng: random.Random) -> Grey:
    """Warps a page to `size` (w, h) by a 2x3 matrix page → line, then does what optics, light, sensor and JPEG do.

    `blur`: the largest σ in pixels of the result.
    """
    w, h = size
    scale = float(np.hypot(matrix[1, 0], matrix[1, 1]))
    if scale < 0.9:
        page = cv2.GaussianBlur(page, (0, 0), 0.4 / scale)
    line: Layer = cv2.warpAffine(page, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.75:
        sigma = blur * rng.random() ** 1.7
        if sigma > 0.25:
            line = cv2.GaussianBlur(line, (0, 0), sigma, sigmaY=sigma * rng.uniform(0.8, 1.25))
    if rng.random() < 0.15:
        line = _motion(line, rng, 2 + blur * 1.4)
    line = _light(line, rng)
    if rng.random() < 0.45:
        return _small_and_back(line, rng, min_scale=max(0.32, 0.75 - 0.14 * blur))
    return _sensor(line, rng)


def _small_and_back(line: Layer, rng: random.Random, min_scale: float) -> Grey:
    """A capture with fewer pixels than the rectified card: noise and JPEG happen there, then it is scaled up."""
    h, w = line.shape
    scale = rng.uniform(min_scale, 1.0)
    small = cv2.resize(line, (max(8, round(w * scale)), max(8, round(h * scale))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(_sensor(small, rng), (w, h), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _sensor(line: Layer, rng: random.Random) -> Grey:
    if rng.random() < 0.7:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(line.shape, dtype=np.float32)
        line = line + noise * (rng.random() ** 2 * 12)
    grey: Grey = np.clip(line, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        soft = cv2.GaussianBlur(grey, (0, 0), 1.0)
        grey = cv2.addWeighted(grey, 2.0, soft, -1.0, 0)
    if rng.random() < 0.5:
        done, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(30, 95)])
        if done:
            grey = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return np.asarray(grey, dtype=np.uint8)


def _light(line: Layer, rng: random.Random) -> Layer:
    """Exposure, gradient across the line, and now and then a glare spot."""
    h, w = line.shape
    gain = rng.uniform(0.35, 1.15)
    if rng.random() < 0.5:
        ends = np.linspace(rng.uniform(0.55, 1.2), rng.uniform(0.55, 1.2), w, dtype=np.float32)
        line = line * ends
    line = line * gain + rng.uniform(-10, 25)
    if rng.random() < 0.08:
        x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
        away = ((x - rng.uniform(0, w)) / rng.uniform(20, 120)) ** 2 + ((y - rng.uniform(0, h)) / rng.uniform(10, 60)) ** 2
        spot = np.exp(-away)
        line = line + spot * rng.uniform(30, 170)
    return np.asarray(line, dtype=np.float32)


def _motion(line: Layer, rng: random.Random, longest: float) -> Layer:
    length = rng.uniform(2, max(2.5, longest))
    angle = rng.uniform(0, np.pi)
    size = int(length) | 1
    kernel = np.zeros((size + 2, size + 2), np.float32)
    centre = (size + 1) / 2
    dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
    start = (round((centre - dx) * 16), round((centre - dy) * 16))
    end = (round((centre + dx) * 16), round((centre + dy) * 16))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA, shift=4)
    total = float(kernel.sum())
    if total <= 0:
        return line
    return np.asarray(cv2.filter2D(line, -1, kernel / total, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def _patch(texture: Layer, h: int, w: int, rng: random.Random) -> Layer:
    """A random window of a texture, stretched by up to two, mirrored at random."""
    stretch = rng.uniform(0.7, 2.0)
    tall, wide = min(max(2, round(h / stretch)), TEXTURE_H), min(max(2, round(w / stretch)), TEXTURE_W)
    y, x = rng.randint(0, TEXTURE_H - tall), rng.randint(0, TEXTURE_W - wide)
    window = texture[y:y + tall, x:x + wide]
    if rng.random() < 0.5:
        window = window[::-1]
    return np.asarray(cv2.resize(window, (w, h), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


@cache
def _textures() -> tuple[Layer, ...]:
    """Guilloches, line screens, dots and soft clouds, -1..1."""
    random_ = np.random.default_rng(7)
    y, x = np.mgrid[0:TEXTURE_H, 0:TEXTURE_W].astype(np.float32)
    made = []
    for index in range(TEXTURES):
        if index % 4 == 3:
            noise = random_.standard_normal((TEXTURE_H, TEXTURE_W)).astype(np.float32)
            cloud = cv2.GaussianBlur(noise, (0, 0), random_.uniform(1, 14))
            texture = cloud / (np.abs(cloud).max() + 1e-6)
        else:
            phase = np.zeros_like(x)
            for _ in range(random_.integers(1, 4)):
                phase += random_.uniform(2, 30) * np.sin(x / random_.uniform(15, 150) + random_.uniform(0, 6)
                                                         + y / random_.uniform(-80, 80))
            turn = random_.uniform(0, np.pi)
            wave = np.sin((x * np.cos(turn) + y * np.sin(turn) + phase) / random_.uniform(0.8, 6))
            texture = wave if index % 4 < 2 else (wave > random_.uniform(0.3, 0.9)).astype(np.float32) * 2 - 1
        made.append(np.asarray(texture, dtype=np.float32))
    return tuple(made)


@cache
def _overprints() -> tuple[Layer, ...]:
    """Large pale letters and straight strokes that run through a line, 0..1."""
    random_ = random.Random(11)
    made = []
    for index in range(16):
        layer = np.zeros((TEXTURE_H, TEXTURE_W), np.uint8)
        if index % 2 == 0:
            font = load(sans_fonts()[2], random_.randint(90, 260))
            mask = font.getmask("MUESTRA SIN VALOR MUESTRA")
            wide, tall = mask.size
            word = np.array(mask, dtype=np.uint8).reshape(tall, wide)
            turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), random_.uniform(-35, 35), 1.0)
            turn[:, 2] += (TEXTURE_W / 2 - wide / 2, TEXTURE_H / 2 - tall / 2)
            layer = np.asarray(cv2.warpAffine(word, turn, (TEXTURE_W, TEXTURE_H)), dtype=np.uint8)
        else:
            for _ in range(14):
                start = (random_.randint(0, TEXTURE_W), random_.randint(0, TEXTURE_H))
                end = (start[0] + random_.randint(-200, 200), start[1] + random_.randint(-120, 120))
                cv2.line(layer, start, end, 255, random_.randint(1, 9), cv2.LINE_AA)
        made.append(layer.astype(np.float32) / 255)
    return tuple(made)
