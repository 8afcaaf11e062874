"""Endless labelled lines for training and judging, and their batches of equal width."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.readers.degrade import Grey, Layer, photograph, print_on_paper
from models.training.readers.draw import _ROOM, GLYPH_PX, Mask, field_ink, labelled_ink, mrz_ink, resize_mask
from models.training.readers.fonts import field_fonts
from models.training.readers.texts import field_line, labels_line, mrz_line
from pipeline.networks.line_reader import FIELDS, MRZ, pad

Line = tuple[Grey, str]
Sample = Callable[[random.Random], list[Line]]
Batch = tuple[NDArray[np.uint8], list[str]]
MRZ_WIDTH = MRZ.widths[0]
MRZ_VIEWS, FIELD_VIEWS = 2, 3
"""Photographs of one printed line: printing costs as much as photographing, and blur and light teach as much as texts."""
MRZ_BLUR, FIELD_BLUR = 3.4, 4.6
"""Largest σ of the blur in pixels of a crop: a fifth of the digits' height for the MRZ, 0.18 of the capitals' for a field."""
AHEAD = 4
"""Batches that a drawing process may be ahead."""
PATIENCE_SECONDS = 120.0
"""For a batch; longer, and the process that draws it counts as dead."""


def mrz_sample(rng: random.Random) -> list[Line]:
    """(32, 480) photographs of a machine-readable line with its neighbours, as the band finder would cut it."""
    text = mrz_line(rng)
    if rng.random() < 0.12:
        text = text[:rng.randint(20, 29)]
    ink = mrz_ink(text, rng)
    h, w = ink.shape
    pitch = rng.uniform(1.7, 2.2) * GLYPH_PX
    gap_up, gap_down = (round(pitch * rng.uniform(0.9, 1.1)) for _ in range(2))
    canvas = np.zeros((h + gap_up + gap_down, w + 80), np.uint8)
    canvas[gap_up:gap_up + h, 40:40 + w] = ink
    if rng.random() < 0.75:
        _neighbour(canvas, mrz_ink(mrz_line(rng)[:len(text)], rng), gap_up - round(pitch))
    if rng.random() < 0.75:
        _neighbour(canvas, mrz_ink(mrz_line(rng)[:len(text)], rng), gap_up + round(pitch))
    page = print_on_paper(canvas, rng)
    return [(_mrz_view(page, len(text), w, gap_up, rng), text) for _ in range(MRZ_VIEWS)]


def _mrz_view(page: Layer, count: int, w: int, gap_up: int, rng: random.Random) -> Grey:
    """One photograph. The line starts at column 40 and row `gap_up` of its page and is `w` wide."""
    h = GLYPH_PX + 2 * _ROOM
    tall = rng.uniform(12, 20)
    symbol = rng.uniform(14.2, 15.9)
    sx, sy = symbol * count / w, tall / GLYPH_PX
    left = rng.uniform(-1, max(MRZ_WIDTH - symbol * count, 0) + 1) if count == 30 else rng.uniform(0, 14)
    middle = MRZ.height / 2 + rng.uniform(-4.5, 4.5)
    slope, shear = rng.uniform(-1, 1) * 5 / MRZ_WIDTH, rng.gauss(0, 0.03)
    matrix = np.array([[sx, shear, left - 40 * sx - shear * (gap_up + h / 2)],
                       [slope * sx, sy, middle - slope * MRZ_WIDTH / 2 - sy * (gap_up + _ROOM + GLYPH_PX / 2)]], dtype=np.float32)
    return photograph(page, matrix, (MRZ_WIDTH, MRZ.height), MRZ_BLUR, rng)


def _neighbour(canvas: Mask, ink: Mask, row: int, column: int = 40) -> None:
    """Puts ink at a row that may lie partly outside."""
    top, bottom = max(row, 0), min(row + ink.shape[0], canvas.shape[0])
    right = min(column + ink.shape[1], canvas.shape[1])
    if bottom > top and right > column:
        area = canvas[top:bottom, column:right]
        np.maximum(area, ink[top - row:bottom - row, :right - column], out=area)


def field_sample(rng: random.Random, fonts: tuple[Path, ...] | None = None) -> list[Line]:
    """(48, w) photographs of a printed line with scraps of its neighbours, as `crop_line` would cut it."""
    fonts = fonts or field_fonts()
    text = field_line(rng) or "X"
    font = fonts[rng.randrange(len(fonts))]
    if rng.random() < 0.12:
        label = labels_line(rng)
        ink, top, cap = labelled_ink(label, text, font, rng)
        text = f"{label} {text}"
    else:
        ink, top, cap = field_ink(text, font, rng)
    if rng.random() < 0.35:
        ink = resize_mask(ink, round(ink.shape[1] * rng.uniform(0.8, 1.15)), ink.shape[0])
    w = ink.shape[1]
    side, room = cap, round(cap * 1.6)
    canvas = np.zeros((cap + 2 * room, w + 2 * side), np.uint8)
    _neighbour(canvas, ink, room - top, side)
    for direction in (-1, 1):
        if rng.random() < 0.5:
            other, other_top, other_cap = field_ink(field_line(rng) or "X", fonts[rng.randrange(len(fonts))], rng)
            distance = round(cap * rng.uniform(1.45, 2.2))
            row = room + distance - other_top if direction > 0 else room + cap - distance - other_cap - other_top
            _neighbour(canvas, other, row, side + rng.randint(-side, side // 2))
    page = print_on_paper(canvas, rng)
    return [(_field_view(page, w, cap, rng), text) for _ in range(FIELD_VIEWS)]


def _field_view(page: Layer, w: int, cap: int, rng: random.Random) -> Grey:
    """One photograph. The ink starts at column `cap` of its page, is `w` wide, its capitals `cap` high."""
    side, room = cap, round(cap * 1.6)
    tall = FIELDS.height * FIELDS.ink * rng.uniform(0.78, 1.2)
    sy = tall / cap
    sx = sy * rng.uniform(0.9, 1.1)
    before, after = (cap * sy * rng.uniform(0.05, 0.75) for _ in range(2))
    width = max(round(w * sx + before + after), 16)
    if width > FIELDS.widths[-1]:
        sx *= FIELDS.widths[-1] / width
        width = FIELDS.widths[-1]
    middle = FIELDS.height / 2 + rng.uniform(-5, 5)
    slope, shear = rng.gauss(0, 1.2) / max(width, 150), rng.gauss(0, 0.03)
    matrix = np.array([[sx, shear, before - side * sx - shear * (room + cap / 2)],
                       [slope * sx, sy, middle - slope * width / 2 - sy * (room + cap / 2)]], dtype=np.float32)
    return photograph(page, matrix, (width, FIELDS.height), FIELD_BLUR, rng)


def batches(sample: Sample, widths: tuple[int, ...], size: int, seed: int) -> Generator[Batch, None, None]:
    """Endless (size, height, width) uint8 batches with their texts; lines wait until their width's batch is full."""
    rng = random.Random(seed)
    waiting: dict[int, list[Line]] = {width: [] for width in widths}
    while True:
        for line, text in sample(rng):
            width = next((closed for closed in widths if line.shape[1] <= closed), widths[-1])
            waiting[width].append((pad(line, width) if line.shape[1] != width else line, text))
            if len(waiting[width]) == size:
                full, waiting[width] = waiting[width], []
                yield np.stack([image for image, _ in full]), [text for _, text in full]


def batches_of_many(sample: Sample, widths: tuple[int, ...], size: int, seed: int, workers: int) -> Generator[Batch, None, None]:
    """As `batches`, drawn by processes beside this one; each has a seed of its own, and they are asked in turn, so that the
    order is the same each time. Close the generator to end them. Raises queue.Empty where a process has died."""
    context = multiprocessing.get_context("spawn")
    queues: list[multiprocessing.Queue[Batch]] = [context.Queue(AHEAD) for _ in range(workers)]
    processes = [context.Process(target=_draw, args=(queue, sample, widths, size, seed + 1000 * index), daemon=True)
                 for index, queue in enumerate(queues)]
    for process in processes:
        process.start()
    try:
        while True:
            for queue in queues:
                yield queue.get(timeout=PATIENCE_SECONDS)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _draw(queue: multiprocessing.Queue[Batch], sample: Sample, widths: tuple[int, ...], size: int, seed: int) -> None:
    cv2.setNumThreads(1)
    for batch in batches(sample, widths, size, seed):
        queue.put(batch)
