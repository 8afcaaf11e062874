"""Paper and print for the tests of reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from models.specimens.fonts import load
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH, PX_PER_MM

Print = tuple[str, float, float, float]
"""Text, left end and base line in mm, height of its capitals in mm."""


def paper(seed: int) -> Image:
    """A pale card with waves and clouds, grey (1080, 1712)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:CARD_HEIGHT, 0:CARD_WIDTH].astype(np.float32)
    waves = np.sin(y / 9 + 12 * np.sin(x / 130 + float(rng.uniform(0, 6)))) * 5
    clouds = cv2.resize(rng.normal(0, 10, (6, 9)).astype(np.float32), (CARD_WIDTH, CARD_HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(222 + waves + clouds, 0, 255), dtype=np.uint8)


def printed(texts: Sequence[Print], font: Path, seed: int, blur: float = 0.9) -> Image:
    """Texts on paper, as a phone sees them: grey (1080, 1712)."""
    sheet = Pillow.fromarray(paper(seed))
    draw = ImageDraw.Draw(sheet)
    for text, x, base, height in texts:
        size = round(100 * height * PX_PER_MM / -load(font, 100).getbbox("H", anchor="ls")[1])
        draw.text((x * PX_PER_MM, base * PX_PER_MM), text, fill=45, font=load(font, size), anchor="ls")
    soft = cv2.GaussianBlur(np.asarray(sheet).astype(np.float32), (0, 0), blur)
    noise = np.random.default_rng(seed).normal(0, 3, soft.shape)
    return np.asarray(np.clip(soft + noise, 0, 255), dtype=np.uint8)
