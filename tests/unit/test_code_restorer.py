"""Codes as hard captures show them: what the plain ladder cannot read, the restored picture gives. Expected: what was drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.domain.evidence import CodeRole
from pipeline.networks.code_restorer import OVERLAP, restore
from pipeline.stages.read_codes import read_codes
from pipeline.stages.scan_codes import Symbology, scan
from pipeline.wiring import local_networks
from tests.unit.drawn_backs import SMALL_TEXT, back_e, blank
from tests.unit.test_read_codes import CALIBRATION

NETWORKS = local_networks()


@pytest.mark.parametrize("size", [(64, 64), (65, 98), (131, 64), (240, 243)])
def test_the_restored_picture_has_the_size_of_the_seen_one(size: tuple[int, int]) -> None:
    seen = np.random.default_rng(1).integers(0, 255, size).astype(np.uint8)
    assert restore(seen, NETWORKS).shape == size


def test_a_blank_place_stays_without_codes() -> None:
    assert scan(restore(blank()[:400, :400], NETWORKS), (Symbology.QR, Symbology.PDF417)) == []


@pytest.mark.parametrize("sigma", [3.5, 4.5])
def test_a_small_qr_out_of_focus_is_read(sigma: float) -> None:
    """Its modules are some 7 pixels wide here: beyond about half of that no threshold finds them."""
    blurred = np.asarray(cv2.GaussianBlur(back_e(), (0, 0), sigma), dtype=np.uint8)
    small = [code for code in read_codes(blurred, NETWORKS, CALIBRATION, deep=True) if code.role is CodeRole.SMALL]
    assert [code.text for code in small] == [SMALL_TEXT]


def test_a_large_place_is_restored_as_its_pieces_are() -> None:
    """Tiles leave no seams: a code across their edges comes out as it does alone."""
    card = np.asarray(cv2.GaussianBlur(back_e(), (0, 0), 3.5), dtype=np.uint8)
    whole = restore(card, NETWORKS)
    part = restore(card[300:700, 400:900], NETWORKS)
    inner = slice(OVERLAP, -OVERLAP)
    light = (whole[300:700, 400:900] > 127)[inner, inner]
    assert (light == (part > 127)[inner, inner]).mean() > 0.97
