"""What is no side of a credential: other cards, papers, screens; and surfaces without any document."""

from __future__ import annotations

import random

import cv2
import numpy as np

from models.specimens.backgrounds import SURFACES, draw_surface
from models.specimens.backgrounds_clutter import bank_card, scatter, write_lines
from models.specimens.layout import STYLES
from models.specimens.pen import signature_mask, signature_strokes
from models.training.card_model.grounds import Pictures, draw_emblems, draw_paper
from models.training.card_model.sides import draw_code, draw_mrz
from models.training.card_model.sketch import HEIGHT_PX, WIDTH_PX, Sketch, new_sketch
from models.training.locator import documents
from models.training.locator.textures import patch
from pipeline.networks.api import Image

ID1_RATIO = WIDTH_PX / HEIGHT_PX
_TITLES = ("LICENCIA DE CONDUCIR", "PERMISO", "TARJETA DE SOCIO", "DRIVER LICENSE", "CREDENCIAL DE ESTUDIANTE", "UNIVERSIDAD",
           "SEGURO SOCIAL", "GOBIERNO DEL ESTADO", "BIBLIOTECA", "PASAPORTE", "IDENTITY CARD", "PERSONALAUSWEIS",
           "TARJETA BIENESTAR")
_LABELS = ("NOMBRE", "NAME", "VIGENCIA", "EXPIRES", "FOLIO", "TIPO", "CLASE", "MATRICULA", "CURP", "RFC", "NSS", "DOB", "SEXO",
           "DOMICILIO", "CARRERA", "PLANTEL", "FIRMA", "No.", "RESTRICCIONES", "GRUPO SANGUINEO")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789  "


def draw_other(rng: random.Random, pictures: Pictures) -> Image:
    """Another document, (540, 856, 3) BGR uint8."""
    fine = np.random.default_rng(rng.randrange(2**32))
    kind = rng.random()
    if kind < 0.42:
        return _identity_card(rng, fine, pictures)
    if kind < 0.54:
        return _sized(bank_card(fine, 10)[0])
    if kind < 0.68:
        return _sized(documents.draw_card(fine, pictures.photos, ID1_RATIO, HEIGHT_PX // 2)[0])
    if kind < 0.90:
        return _page(rng, fine, pictures)
    return _screen(rng, fine, pictures)


def draw_nothing(rng: random.Random, pictures: Pictures) -> Image:
    """A surface, a photograph of something, noise: (540, 856, 3) BGR uint8."""
    fine = np.random.default_rng(rng.randrange(2**32))
    kind = rng.random()
    width, height = WIDTH_PX // 2, HEIGHT_PX // 2
    if kind < 0.62:
        scale = rng.uniform(1.5, 9)
        surface = draw_surface(rng.choice(tuple(SURFACES)), fine, width, height, scale)
        if rng.random() < 0.4:
            scatter(fine, surface, scale, rng.randint(1, 4), centre=(rng.uniform(0, width), rng.uniform(0, height)), keep_out=0.0,
                    kinds=("pen", "coin", "phone", "mug", "cable", "book"))
        return _sized(surface)
    if kind < 0.88:
        return patch(fine, pictures.photos, HEIGHT_PX, WIDTH_PX)
    rough = fine.integers(0, 256, (rng.randint(1, 40), rng.randint(1, 60), 3), dtype=np.uint8)
    if rng.random() < 0.5:
        rough = np.asarray(rough // 4 + rng.randint(0, 190), dtype=np.uint8)
    between = rng.choice((cv2.INTER_CUBIC, cv2.INTER_NEAREST))
    return np.asarray(cv2.resize(rough, (WIDTH_PX, HEIGHT_PX), interpolation=between), dtype=np.uint8)


def _sized(picture: Image) -> Image:
    return np.asarray(cv2.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _identity_card(rng: random.Random, fine: np.random.Generator, pictures: Pictures) -> Image:
    """A card of another issuer: the same sort of elements, in places that are theirs."""
    sketch = new_sketch(rng, draw_paper(rng, fine, pictures))
    if rng.random() < 0.5:
        cv2.rectangle(sketch.image, (0, 0), (WIDTH_PX, rng.randint(50, 140)), [rng.randint(0, 255) for _ in range(3)], -1)
    draw_emblems(sketch.image, rng)
    with_mrz = rng.random() < 0.3
    if rng.random() < (0.2 if with_mrz else 0.75):
        height = rng.uniform(16, 36)
        x, y = rng.choice((rng.uniform(1, 8), rng.uniform(30, 56), rng.uniform(55, 58))), rng.uniform(4, 52 - height)
        sketch.picture(pictures.portrait(rng, fine), (x, y, x + height * rng.uniform(0.7, 0.85), y + height))
    if rng.random() < 0.8:
        at = (rng.uniform(2, 40), rng.uniform(4, 14))
        sketch.text("title", rng.choice(_TITLES), at, STYLES[rng.choice(("country", "heading", "subheading"))], width_mm=60)
    _fields(sketch, rng, 34.0 if with_mrz else 52.0)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        name = rng.choice(("linear", "pdf417", "small_qr", "small_qr"))
        at = (rng.uniform(2, 66), rng.uniform(2, 36))
        draw_code(sketch, name, at, {"size": rng.uniform(8, 24), "height": rng.uniform(3, 9)}, rng)
    if rng.random() < 0.4:
        x, y = rng.uniform(2, 50), rng.uniform(4, 42)
        sketch.ink(signature_mask(signature_strokes(str(rng.random())), 900, 300, 12), (x, y, x + 24, y + 8), "pen")
    if with_mrz:
        lines = ("I<" + _word(rng, 28), _word(rng, 30), _word(rng, 30))
        draw_mrz(sketch, lines, (rng.uniform(2, 8), rng.uniform(34, 41)), rng.uniform(3.8, 4.8), rng)
    return sketch.image


def _word(rng: random.Random, length: int) -> str:
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<<<<<<") for _ in range(length))


def _fields(sketch: Sketch, rng: random.Random, lowest: float) -> None:
    """One or two columns of labels and values at a pitch of their own."""
    for _ in range(rng.choice((1, 1, 2))):
        x, y, pitch = rng.uniform(3, 60), rng.uniform(8, 24), rng.uniform(2.6, 7.5)
        beside = rng.random() < 0.4
        while y < lowest - 1:
            label = sketch.text("label", rng.choice(_LABELS), (x, y), STYLES["label"])
            if rng.random() < 0.8:
                value = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 26)))
                at = (label[2] + 1, y) if beside else (x, y + pitch * 0.48)
                sketch.text("value", value, at, STYLES[rng.choice(("value", "code", "address"))], width_mm=84 - x)
            y += pitch


def _page(rng: random.Random, fine: np.random.Generator, pictures: Pictures) -> Image:
    """A part of a printed page, a receipt or a form."""
    if rng.random() < 0.5:
        page = np.full((HEIGHT_PX, WIDTH_PX, 3), rng.randint(200, 252), np.uint8)
        write_lines(fine, page, rng.uniform(3, 11))
        if rng.random() < 0.3:
            page = np.asarray(cv2.rotate(_sized(np.ascontiguousarray(page.transpose(1, 0, 2))), cv2.ROTATE_180), dtype=np.uint8)
    else:
        page = _sized(documents.draw_page(fine, pictures.photos, rng.randint(200, 420))[0])
    if rng.random() < 0.3:
        x, y, size = rng.randint(0, 600), rng.randint(0, 380), rng.randint(60, 220)
        piece = patch(fine, pictures.photos, size, size)
        page[y:y + size, x:x + size] = piece[:HEIGHT_PX - y, :WIDTH_PX - x]
    return page


def _screen(rng: random.Random, fine: np.random.Generator, pictures: Pictures) -> Image:
    """A window, a chat, a photograph on a display."""
    base = [rng.choice((rng.randint(5, 60), rng.randint(220, 252))) + rng.randint(-5, 3) for _ in range(1)] * 3
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), base, np.uint8)
    for _ in range(rng.randint(2, 12)):
        x, y = rng.randint(0, WIDTH_PX - 60), rng.randint(0, HEIGHT_PX - 40)
        wide, tall = rng.randint(40, 500), rng.randint(15, 200)
        tone = [rng.randint(0, 255) for _ in range(3)] if rng.random() < 0.5 else [rng.randint(0, 255)] * 3
        if rng.random() < 0.25:
            piece = patch(fine, pictures.photos, tall, wide)
            image[y:y + tall, x:x + wide] = piece[:HEIGHT_PX - y, :WIDTH_PX - x]
            continue
        cv2.rectangle(image, (x, y), (x + wide, y + tall), tone, -1)
        for line in range(y + 14, y + tall, rng.randint(14, 30)):
            text = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(4, 24)))
            ink = [255 - value for value in tone]
            cv2.putText(image, text, (x + 6, line), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.6), ink, 1, cv2.LINE_AA)
    return image
