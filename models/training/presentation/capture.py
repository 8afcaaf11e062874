"""A telephone's picture of a scene, cut to the card and a little round it: pose, light, lens, sensor, cooking, file."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.presentation.prints import jpeg
from models.training.presentation.scenes import AROUND_MM, GROUND_PX_PER_MM, Layer, Scene, rounded
from models.training.presentation.screens import CELL, CELL_PEAK
from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_MM, Matrix, Quad, homography, transform

Rng = np.random.Generator
Plane = NDArray[np.float32]
COARSE, FINE, FINEST = 4.5, 18.0, 28.0
"""Pixels a millimetre of the view that is judged: most up to FINE, one in twelve up to FINEST."""
_W, _H = CARD_MM
_OUTLINE = np.array([[0, 0], [_W, 0], [_W, _H], [0, _H]], np.float64)
_MARGIN_MM = (0.5, 11.0)
_GRAIN = 1400
_MASK_PX_PER_MM = 6.0


@dataclass(frozen=True, slots=True)
class View:
    """image: (H, W, 3) BGR uint8.  quad: the upright card in it, as a locator finds it: not exactly."""

    image: Image
    quad: Quad
    px_per_mm: float


class Camera:
    """Noise that is drawn once: fine or soft, more or less coloured."""

    def __init__(self, rng: Rng) -> None:
        self.grains = []
        for soft in (False, True):
            raw = rng.standard_normal((_GRAIN, _GRAIN, 4)).astype(np.float32)
            if soft:
                raw = np.asarray(cv2.GaussianBlur(raw, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT), np.float32)
                raw /= raw.std()
            for share in (0.15, 0.4, 0.75):
                self.grains.append(np.asarray(share * raw[..., :3] + (1 - share) * raw[..., 3:], np.float32))

    def photograph(self, rng: Rng, scene: Scene) -> View:
        usual = np.exp(rng.uniform(np.log(COARSE), np.log(FINE)))
        final = float(usual if rng.random() < 11 / 12 else rng.uniform(FINE, FINEST))
        # a decoder's reduction: the sensor had more pixels than the view
        reduced = float(rng.choice([1.0, 1.5, 2.0])) if final < 9 else 1.0
        ppm = final * reduced
        quad, size = _pose(rng, ppm)
        light = _lens(rng, _placed(rng, scene, quad, size, ppm), scene, ppm)
        image = self._sensor(rng, light, reduced)
        if reduced > 1:
            smaller = (max(80, round(size[0] / reduced)), max(80, round(size[1] / reduced)))
            image = np.asarray(cv2.resize(image, smaller, interpolation=cv2.INTER_AREA), np.uint8)
            quad = (quad + 0.5) * (np.array(smaller) / np.array(size)) - 0.5
        if rng.random() < 0.12:  # sent through a messenger: compressed once more
            image = jpeg(image, int(rng.integers(55, 90)))
        off = rng.normal(0, rng.choice([0.08, 0.25, 0.6]), (4, 2)) * final
        return View(np.ascontiguousarray(image), quad + off, final)

    def _sensor(self, rng: Rng, light: Plane, reduced: float) -> Image:
        """Noise, the phone's denoising and sharpening, tone, 8 bits, JPEG."""
        h, w = light.shape[:2]
        noise = float(rng.uniform(0.6, 7.0)) if rng.random() < 0.8 else float(rng.uniform(0.2, 1.5))
        tile = self.grains[int(rng.integers(len(self.grains)))]
        if h > _GRAIN or w > _GRAIN:
            tile = np.tile(tile, (h // _GRAIN + 1, w // _GRAIN + 1, 1))
        top, left = int(rng.integers(tile.shape[0] - h + 1)), int(rng.integers(tile.shape[1] - w + 1))
        image = cv2.addWeighted(light, 255, tile[top:top + h, left:left + w], noise, 0, dtype=cv2.CV_8U)
        if rng.random() < 0.4:
            curve = (255 * (np.arange(256) / 255) ** rng.uniform(0.8, 1.25)).astype(np.uint8)
            image = cv2.LUT(image, curve)
        cooking = rng.random()
        if cooking < 0.12:
            image = cv2.medianBlur(image, 3)
        elif cooking < 0.16:
            image = cv2.bilateralFilter(image, 5, float(rng.uniform(10, 30)), 2.0)
        if rng.random() < 0.5:
            soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.7, 2.2)))
            image = cv2.addWeighted(image, 1 + (amount := float(rng.uniform(0.2, 1.6))), soft, -amount, 0)
        if rng.random() < 0.35:
            grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            colour = float(rng.uniform(0.6, 1.4))
            image = cv2.addWeighted(image, colour, grey, 1 - colour, 0)
        quality = int(rng.integers(50, 99))
        return jpeg(np.asarray(image, np.uint8), max(quality, 70) if reduced > 1 else quality)


def _pose(rng: Rng, ppm: float) -> tuple[Quad, tuple[int, int]]:
    """The card in a picture that ends shortly beyond it: any way up, askew, a little in perspective."""
    angle = np.radians(90 * rng.integers(4) + rng.normal(0, 6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    squeezed = (_OUTLINE - (_W / 2, _H / 2)) * (1 - rng.uniform(0, 0.2, 2) * (rng.random() < 0.6))
    quad = (squeezed + rng.normal(0, rng.uniform(0, 1.6), (4, 2))) @ turn.T * ppm
    low, high = quad.min(axis=0), quad.max(axis=0)
    near, far = rng.uniform(*_MARGIN_MM, 2) * ppm, rng.uniform(*_MARGIN_MM, 2) * ppm
    size = np.ceil(high - low + near + far).astype(int)
    return quad - low + near, (int(size[0]), int(size[1]))


def _placed(rng: Rng, scene: Scene, quad: Quad, size: tuple[int, int], ppm: float) -> Plane:
    """The scene in the picture, lit: BGR 0..1 and above."""
    to_photo = homography(_OUTLINE, quad)
    to_mm = np.array([[1 / GROUND_PX_PER_MM, 0, -AROUND_MM], [0, 1 / GROUND_PX_PER_MM, -AROUND_MM], [0, 0, 1]])
    picture = np.asarray(cv2.warpPerspective(scene.ground, to_photo @ to_mm, size, flags=cv2.INTER_LINEAR,
                                             borderMode=cv2.BORDER_REFLECT_101), np.uint8)
    gain = _room(rng, size, scene.dark)
    if scene.thick > 0:
        lean = rng.uniform(-0.45, 0.45, 2) * scene.thick
        edge = Layer(np.full((54, 86, 3), rng.uniform(95, 215), np.uint8))
        _lay(picture, edge, to_photo @ np.array([[1, 0, lean[0]], [0, 1, lean[1]], [0, 0, 1.0]]), ppm)
    cover = _lay(picture, scene.layer, to_photo, ppm)
    if scene.layer.cell is not None:
        gain[cover > 0] = 0.03 * gain[cover > 0] + np.float32(rng.uniform(0.75, 1.1))
    light = np.asarray(cv2.multiply(picture, gain, scale=1 / 255, dtype=cv2.CV_32F), np.float32)
    return _reflected(rng, light, scene, quad, size)


def _room(rng: Rng, size: tuple[int, int], dark: float) -> Plane:
    """(h, w, 3): colour of the lamp after white balance, level, fall-off, shadow."""
    y, x = np.mgrid[-1:1:18j, -1:1:24j].astype(np.float32)
    lean = rng.uniform(-0.3, 0.3, 2) * rng.random()
    level = 1 + lean[0] * x + lean[1] * y
    if rng.random() < 0.35:
        edge = x * np.cos(a := rng.uniform(0, 6.3)) + y * np.sin(a) - rng.uniform(-0.6, 0.6)
        level = level * (1 - rng.uniform(0.1, 0.55) / (1 + np.exp(-edge * rng.uniform(3, 25))))
    exposure = rng.uniform(0.72, 1.12) if rng.random() < 0.75 else rng.uniform(0.25, 0.75)
    warm = rng.normal(0, 0.075)
    colour = np.array([1 - warm, 1 + rng.normal(0, 0.02), 1 + warm]) + rng.normal(0, 0.025, 3)
    gain = level[..., None] * (exposure * (1 - 0.8 * dark) * np.clip(colour, 0.6, 1.4)).astype(np.float32)
    return np.asarray(cv2.resize(gain.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)


def _lay(picture: Image, layer: Layer, to_photo: Matrix, ppm: float) -> Image:
    """A layer over what is there, in place; its mask."""
    (h, w), (x0, y0, x1, y1) = layer.picture.shape[:2], layer.box
    top, size = layer.picture, (picture.shape[1], picture.shape[0])
    fit = (x1 - x0) * ppm / w
    if layer.cell is None and fit < 0.9:
        w, h = max(8, round(w * fit * 1.1)), max(8, round(h * fit * 1.1))
        top = np.asarray(cv2.resize(top, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    to_mm = np.array([[(x1 - x0) / w, 0, x0 + (x1 - x0) / w / 2], [0, (y1 - y0) / h, y0 + (y1 - y0) / h / 2], [0, 0, 1.0]])
    if layer.cell is None:
        seen = cv2.warpPerspective(top, to_photo @ to_mm, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    else:
        seen = _screen(top, layer.cell, to_photo @ to_mm, size)
    wide, high = round((x1 - x0) * _MASK_PX_PER_MM), round((y1 - y0) * _MASK_PX_PER_MM)
    mask = rounded(wide, high, layer.radius * _MASK_PX_PER_MM)
    mask_mm = np.array([[1 / _MASK_PX_PER_MM, 0, x0], [0, 1 / _MASK_PX_PER_MM, y0], [0, 0, 1.0]])
    cover = cv2.warpPerspective(mask, to_photo @ mask_mm, size, flags=cv2.INTER_LINEAR)
    outline = np.asarray(cv2.threshold(cover, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
    cv2.copyTo(seen, outline, picture)
    return outline


def _screen(colours: Image, cell: Image, to_photo: Matrix, size: tuple[int, int]) -> Image:
    """A screen's light: a photo pixel gathers it over its square, and nothing smooths it before: moire."""
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]]) @ to_photo
    double = (size[0] * 2, size[1] * 2)
    light = cv2.warpPerspective(colours, twice, double, flags=cv2.INTER_NEAREST)
    texels = twice @ np.array([[1 / CELL, 0, 0.5 / CELL - 0.5], [0, 1 / CELL, 0.5 / CELL - 0.5], [0, 0, 1.0]])
    grid = cv2.warpPerspective(cell, texels, double, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    # half of the light, so that a bright dot is not cut before its neighbours darken it
    lit = cv2.multiply(light, grid, scale=CELL_PEAK / 255 / 2)
    return np.asarray(cv2.convertScaleAbs(cv2.resize(lit, size, interpolation=cv2.INTER_AREA), alpha=2), np.uint8)


def _reflected(rng: Rng, light: Plane, scene: Scene, quad: Quad, size: tuple[int, int]) -> Plane:
    """Sheen, a lamp or a window upon the face; only where it is glossy."""
    veil = np.zeros((size[1] // 8 + 1, size[0] // 8 + 1), np.float32)
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    for _ in range(int(rng.choice(4, p=[0.45, 0.3, 0.17, 0.08]))):
        at = transform(homography(unit, quad), rng.uniform(0, 1, (1, 2)))[0] / 8
        reach = rng.uniform(0.03, 0.5) * size[0] / 8
        spot = np.zeros_like(veil)
        axes = (max(1, int(reach)), max(1, int(reach * rng.uniform(0.25, 1))))
        cv2.ellipse(spot, (int(at[0]), int(at[1])), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1)
        soft = cv2.GaussianBlur(spot, (0, 0), max(0.8, reach * rng.uniform(0.1, 0.8)))
        veil += soft * np.float32(rng.uniform(0.03, 1.3) * scene.gloss)
    if not veil.any():
        return light
    wide = cv2.resize(np.minimum(veil, 1), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(light, cv2.merge([1 - wide] * 3)) + wide[..., None], np.float32)


def _lens(rng: Rng, light: Plane, scene: Scene, ppm: float) -> Plane:
    sharp = scene.layer.cell is not None and rng.random() < 0.5
    sigma = rng.uniform(0.3, 0.8) if sharp or rng.random() < 0.5 else rng.uniform(0.5, 1.9) * max(1.0, ppm / 14)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), float(sigma)), np.float32)
    if rng.random() < 0.12:
        length = int(rng.uniform(3, 7) * max(1.0, ppm / 14))
        kernel = np.zeros((length, length), np.float32)
        reach, angle = (length - 1) / 2, rng.uniform(0, np.pi)
        ends = [(round(reach + s * reach * np.cos(angle)), round(reach + s * reach * np.sin(angle))) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        light = np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)
    return light
