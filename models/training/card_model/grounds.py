"""What is printed below and around the print: papers, rosettes, emblems, and pictures for portraits. Drawn at any hue."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np

from models.specimens.faces import load_faces
from models.training.card_model.sketch import HEIGHT_PX, WIDTH_PX
from models.training.locator.textures import load_photos, patch
from pipeline.networks.api import Image

Rng = np.random.Generator


class Pictures:
    """Portraits of the specimens and patches of packaged photographs, small."""

    def __init__(self) -> None:
        self.photos = load_photos()
        self.faces = [_shrunk(face.portrait(), 300) for face in load_faces()]

    def portrait(self, rng: random.Random, fine: Rng) -> Image:
        """A face, a drawn bust, a patch of anything, or a grey shape: a portrait's place matters, not who is in it."""
        kind = rng.random()
        if kind < 0.5:
            picture = rng.choice(self.faces)
            if rng.random() < 0.5:
                picture = np.asarray(picture[:, ::-1])
        elif kind < 0.8:
            picture = _bust(rng)
        elif kind < 0.9:
            picture = patch(fine, self.photos, 300, 234)
        else:
            picture = np.full((300, 234, 3), rng.randint(90, 220), np.uint8)
            axes = (rng.randint(50, 80), rng.randint(70, 100))
            cv2.ellipse(picture, (117, 140), axes, 0, 0, 360, (rng.randint(40, 200),) * 3, -1)
        if rng.random() < 0.25:
            picture = np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), dtype=np.uint8)
        tint = np.array([rng.uniform(0.8, 1.15) for _ in range(3)])
        return np.asarray(np.clip(picture * tint, 0, 255), dtype=np.uint8)


def _shrunk(picture: Image, height: int) -> Image:
    size = (round(picture.shape[1] * height / picture.shape[0]), height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _bust(rng: random.Random) -> Image:
    """Head and shoulders before a plain wall, in flat colours."""
    wall = rng.randint(150, 250)
    picture = np.full((300, 234, 3), (wall, wall, min(255, wall + rng.randint(-15, 15))), np.uint8)
    skin = np.array((110, 150, 200)) * rng.uniform(0.35, 1.2)
    shirt = tuple(rng.randint(0, 255) for _ in range(3))
    hair = tuple(rng.randint(5, 90) for _ in range(3))
    x, y = 117 + rng.randint(-12, 12), 130 + rng.randint(-15, 15)
    wide, tall = rng.randint(48, 66), rng.randint(66, 84)
    cv2.ellipse(picture, (x, 320), (rng.randint(90, 125), rng.randint(85, 110)), 0, 0, 360, shirt, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y - 14), (wide + 12, tall + rng.randint(4, 20)), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.rectangle(picture, (x - 22, y + 50), (x + 22, y + 105), (skin * 0.85).tolist(), -1)
    cv2.ellipse(picture, (x, y), (wide, tall), 0, 0, 360, np.clip(skin, 0, 255).tolist(), -1, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.ellipse(picture, (x + side * 22, y - 8), (9, 4), 0, 0, 360, (30, 30, 40), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y + 38), (18, 5), 0, 0, 360, (skin * 0.55).tolist(), -1, cv2.LINE_AA)
    return picture


def draw_paper(rng: random.Random, fine: Rng, pictures: Pictures) -> Image:
    """(540, 856, 3) BGR uint8: mostly pale; a rainbow, clouds, waves, rosettes, now and then a photograph shining through."""
    tones = [_pale(rng) for _ in range(3)] if rng.random() < 0.8 else [_pale(rng)] * 3
    grid = np.zeros((5, 7, 3), np.float32)
    for column in range(7):
        left = min(1, column // 3)
        share = column / 3 - left
        grid[:, column] = (1 - share) * tones[left] + share * tones[left + 1]
    grid += fine.normal(0, rng.uniform(0, 7), grid.shape)
    paper = cv2.resize(np.clip(grid, 0, 255).astype(np.uint8), (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    image = np.asarray(paper, dtype=np.uint8)
    if rng.random() < 0.12:
        image = np.asarray(cv2.addWeighted(image, 0.8, patch(fine, pictures.photos, HEIGHT_PX, WIDTH_PX), 0.2, 0), dtype=np.uint8)
    if rng.random() < 0.75:
        _waves(image, rng)
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        _rosette(image, rng)
    if rng.random() < 0.4:
        _watermark(image, rng)
    return image


def _pale(rng: random.Random) -> Image:
    level = rng.choice((rng.randint(215, 252), rng.randint(215, 252), rng.randint(150, 240)))
    return np.array([level + rng.randint(-22, 14) for _ in range(3)], np.float32)


def _darker(image: Image, rng: random.Random) -> tuple[float, ...]:
    tone = image[rng.randrange(HEIGHT_PX), rng.randrange(WIDTH_PX)]
    return tuple(float(value) * rng.uniform(0.68, 0.97) for value in tone)


def _waves(image: Image, rng: random.Random) -> None:
    x = np.linspace(-10, WIDTH_PX + 10, 60)
    tone, swing, length = _darker(image, rng), rng.uniform(2, 30), rng.uniform(60, 700)
    tilt = rng.choice((0.0, 0.0, rng.uniform(-0.5, 0.5)))
    for y in range(-300, HEIGHT_PX + 300, rng.randint(7, 40)):
        points = np.stack((x, y + tilt * x + swing * np.sin(x / length * 2 * math.pi + y * 0.02)), axis=1)
        cv2.polylines(image, [np.round(points).astype(np.int32)], False, tone, rng.choice((1, 1, 2)), cv2.LINE_AA)


def _rosette(image: Image, rng: random.Random) -> None:
    turn = np.linspace(0, 2 * math.pi, 240)
    x, y, radius = rng.uniform(0, WIDTH_PX), rng.uniform(0, HEIGHT_PX), rng.uniform(40, 280)
    tone, petals = _darker(image, rng), rng.randint(5, 21)
    for ring in range(rng.randint(2, 7)):
        bow = radius * (1 - 0.12 * ring) * (1 - 0.2 * np.cos(petals * turn + ring))
        points = np.stack((x + bow * np.cos(turn), y + bow * np.sin(turn)), axis=1)
        cv2.polylines(image, [np.round(points).astype(np.int32)], True, tone, 1, cv2.LINE_AA)


def _watermark(image: Image, rng: random.Random) -> None:
    """A large pale word or shape over all."""
    layer = image.copy()
    tone = [rng.randint(40, 255) for _ in range(3)]
    if rng.random() < 0.7:
        word = rng.choice(("MUESTRA", "SPECIMEN", "COPIA", "MEXICO", "INE"))
        cv2.putText(layer, word, (rng.randint(0, 160), rng.randint(250, 420)), cv2.FONT_HERSHEY_DUPLEX, 24 / len(word), tone, 14,
                    cv2.LINE_AA)
    else:
        cv2.circle(layer, (rng.randint(0, WIDTH_PX), rng.randint(0, HEIGHT_PX)), rng.randint(60, 260), tone, -1)
    share = rng.uniform(0.05, 0.22)
    cv2.addWeighted(layer, share, image, 1 - share, 0, dst=image)


def draw_emblems(image: Image, rng: random.Random) -> None:
    """Ornaments as any issuer prints them, anywhere: seals, bars, holograms."""
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = (rng.randrange(WIDTH_PX), rng.randrange(HEIGHT_PX))
        tone = [rng.randint(20, 235) for _ in range(3)]
        kind = rng.random()
        if kind < 0.5:
            for radius in range(rng.randint(14, 60), 6, -rng.randint(6, 14)):
                ring = [value * rng.uniform(0.6, 1.0) for value in tone]
                cv2.circle(image, at, radius, ring, rng.choice((1, 2, -1)), cv2.LINE_AA)
        elif kind < 0.7:
            cv2.rectangle(image, at, (at[0] + rng.randint(15, 120), at[1] + rng.randint(10, 60)), tone, rng.choice((1, 2, -1)))
        elif kind < 0.85:
            y = rng.choice((0, HEIGHT_PX - 1, rng.randrange(HEIGHT_PX)))
            cv2.line(image, (0, y), (WIDTH_PX, y), tone, rng.randint(2, 24))
        else:
            glow = image.copy()
            cv2.ellipse(glow, at, (rng.randint(20, 80), rng.randint(20, 80)), 0, 0, 360, tone, -1, cv2.LINE_AA)
            cv2.addWeighted(glow, 0.4, image, 0.6, 0, dst=image)
