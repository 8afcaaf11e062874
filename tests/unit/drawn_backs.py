"""Backs of the card drawn for tests: only the codes, where layouts of models E and G have them. Seeded, no fonts, no people."""

from __future__ import annotations

import cv2
import numpy as np
import segno
import zxingcpp

from pipeline.networks.api import Image
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH, PX_PER_MM

SMALL_TEXT = "http://qr.ine.mx/123412345678901987654321/20190102/P/000001"
"""Invented: section 1234, citizen 123456789, issue 01, CIC 987654321."""
CIC = "987654321"


def blank(paper: int = 225, seed: int = 1) -> Image:
    """A card side without anything on it but a little grain. (1080, 1712) grey."""
    grain = np.random.default_rng(seed).normal(paper, 4, (CARD_HEIGHT, CARD_WIDTH))
    return np.clip(grain, 0, 255).astype(np.uint8)


def large_payload(right: bool, seed: int = 1) -> bytes:
    """858 bytes with the public header of a large QR."""
    return bytes([0, int(right)]) + np.random.default_rng(seed + right).bytes(856)


def qr(content: str | bytes, side_mm: float, version: int | None = None) -> Image:
    """A QR of about `side_mm` with its quiet zone, dark on white."""
    symbol = segno.make(content, error="l", version=version, mode="byte", boost_error=False, micro=False)
    modules = np.array([[0 if dark else 255 for dark in row] for row in symbol.matrix_iter(border=4)], dtype=np.uint8)
    side = round(side_mm * PX_PER_MM)
    return np.asarray(cv2.resize(modules, (side, side), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def pdf417(content: bytes, width_mm: float, height_mm: float) -> Image:
    code = np.array(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.PDF417), scale=3))
    size = round(width_mm * PX_PER_MM), round(height_mm * PX_PER_MM)
    return np.asarray(cv2.resize(code, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def code128(content: str, width_mm: float, height_mm: float) -> Image:
    code = np.array(zxingcpp.write_barcode_to_image(zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.Code128), scale=4))
    size = round(width_mm * PX_PER_MM), round(height_mm * PX_PER_MM)
    return np.asarray(cv2.resize(code, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def paste(card: Image, patch: Image, x_mm: float, y_mm: float) -> None:
    x, y = round(x_mm * PX_PER_MM), round(y_mm * PX_PER_MM)
    card[y : y + patch.shape[0], x : x + patch.shape[1]] = patch


def back_g(small: str = SMALL_TEXT, seed: int = 1) -> Image:
    """Two large QRs side by side, the small one at the lower right of them, a linear code at the upper left."""
    card = blank(seed=seed)
    paste(card, code128(CIC, 24, 6), 3, 3)
    paste(card, qr(large_payload(False, seed), 23, 20), 17, 11)
    paste(card, qr(large_payload(True, seed), 23, 20), 43, 11)
    paste(card, qr(small, 14), 69, 24)
    return card


def back_e(small: str = SMALL_TEXT, seed: int = 1) -> Image:
    """A small QR at the upper right, a PDF417, a linear code at the upper left."""
    card = blank(seed=seed)
    paste(card, code128(CIC, 24, 6), 3, 3)
    paste(card, qr(small, 15), 68, 3)
    paste(card, pdf417(np.random.default_rng(seed).bytes(250), 40, 12), 12, 18)
    return card


def blurred(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
