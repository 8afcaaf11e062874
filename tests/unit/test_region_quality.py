"""Quality where it matters: a small defect on what is needed is seen there, named, and asked to be taken away; elsewhere not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.decide import decide
from pipeline.domain.card_model import Side
from pipeline.domain.evidence import PhotoEvidence, RegionQuality, Sighting
from pipeline.domain.verdict import CheckName
from pipeline.stages.quality import measure_quality, photo_blur, photo_light
from pipeline.stages.rectify import as_grey
from pipeline.stages.region_quality import Place, measure_regions
from tests.unit.good_support import SHARP, calibration, context, front_readings, good_support, side
from tests.unit.test_quality import printed_card

LIMIT = {name.removeprefix("quality."): value.value for name, value in calibration().thresholds.items() if name.startswith("quality.")}
PLACES = {"mrz": (3.0, 38.0, 82.0, 51.0), "small_qr": (3.0, 5.0, 19.0, 21.0)}
SKINS = [(120, 150, 205), (65, 95, 150), (50, 70, 110), (140, 170, 220)]


def back() -> np.ndarray:
    """A back: lines of print all over the lower part, a code at the left."""
    card = printed_card()
    for line in range(3):
        cv2.putText(card, "IDMEX1836577170<<0747116375842", (70, 840 + line * 84), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (40, 40, 40), 5, cv2.LINE_AA)
    return card


def regions_of(card: np.ndarray, read: bool = False) -> dict[str, RegionQuality]:
    return {one.name: one for one in measure_regions(card, {name: Place(box, read) for name, box in PLACES.items()})}


def with_patch(card: np.ndarray, centre_mm: tuple[float, float], axes_mm: tuple[float, float], colour: tuple[int, int, int]) -> np.ndarray:
    patch = card.copy()
    cv2.ellipse(patch, (round(centre_mm[0] * 20), round(centre_mm[1] * 20)), (round(axes_mm[0] * 20), round(axes_mm[1] * 20)), 0, 0, 360,
                colour, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(patch, (0, 0), 1.5))


def moved(card: np.ndarray, angle: float, length: int = 44) -> np.ndarray:
    kernel = np.zeros((61, 61), np.float32)
    dx, dy = length / 2 * np.cos(np.radians(angle)), length / 2 * np.sin(np.radians(angle))
    cv2.line(kernel, (round(30 - dx), round(30 - dy)), (round(30 + dx), round(30 + dy)), 1.0)
    return np.asarray(cv2.filter2D(card, -1, kernel / kernel.sum()))


@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), (0.66, 0.93, 1.0), (1.0, 0.95, 0.85), (0.5, 0.5, 0.5)])
def test_a_clean_card_has_no_fault_anywhere_under_any_lamp(light: tuple[float, float, float]) -> None:
    card = (back() * np.array(light)).astype(np.uint8)
    for region in regions_of(card).values():
        assert region.glare == 0 and region.covered == 0
        assert region.streaks is not None and region.streaks < LIMIT["streaks_max"]
        assert region.sharpness is not None and region.sharpness > 0.6


def test_a_shadow_is_no_cover() -> None:
    card = back().astype(np.float32)
    card[:, 500:1200] *= 0.62
    assert all(region.covered == 0 for region in regions_of(card.astype(np.uint8)).values())


def test_a_small_glare_on_the_mrz_is_the_mrzs_alone() -> None:
    card = with_patch(back(), (40, 44), (7, 5), (255, 255, 255))
    found = regions_of(card)
    assert measure_quality(card, as_grey(card), 15.0).glare < 0.035
    assert found["mrz"].glare > LIMIT["region_glare_max"] and found["small_qr"].glare == 0
    assert found["mrz"].covered is not None and found["mrz"].covered < LIMIT["covered_max"]


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(("where", "name"), [((40.0, 46.0), "mrz"), ((10.0, 12.0), "small_qr")])
def test_a_finger_covers_what_it_lies_on_alone(skin: tuple[int, int, int], where: tuple[float, float], name: str) -> None:
    found = regions_of(with_patch(back(), where, (7.5, 8.5), skin))
    for region in found.values():
        assert region.covered is not None
        assert (region.covered > LIMIT["covered_max"]) == (region.name == name), region
        assert region.glare == 0


@pytest.mark.parametrize("angle", [0, 25, 45, 90, 130])
def test_a_moved_phone_leaves_streaks(angle: float) -> None:
    for region in regions_of(moved(back(), angle)).values():
        assert region.streaks is not None and region.streaks > LIMIT["streaks_max"], region


def test_a_wide_blur_leaves_no_detail_even_under_noise() -> None:
    rng = np.random.default_rng(1)
    mush = cv2.GaussianBlur(back(), (0, 0), 20).astype(np.float32) + rng.normal(0, 7, (*back().shape[:2], 1))
    for name, region in regions_of(mush.clip(0, 255).astype(np.uint8)).items():
        crisp = regions_of(back())[name].detail
        assert region.detail is not None and crisp is not None
        assert region.detail < LIMIT["detail_min"] < crisp


def test_causes_are_looked_for_only_where_something_was_not_read() -> None:
    for region in regions_of(with_patch(back(), (40, 46), (7.5, 8.5), SKINS[0]), read=True).values():
        assert region.covered is None and region.sharpness is None and region.streaks is None
    assert measure_regions(back(), {}) == ()


def test_light_is_what_the_lightest_part_of_a_photo_has() -> None:
    desk = np.full((600, 800, 3), 8, np.uint8)
    assert photo_light(desk) < 0.1
    desk[200:300, 200:350] = 220
    assert photo_light(desk) > 0.8


GOOD = RegionQuality("mrz", PLACES["mrz"], False, 0.0, 0.8, 0.0, 0.8, 0.1)


@pytest.mark.parametrize(("changes", "quality", "code"), [
    ({}, {}, "back.unreadable"),
    ({"glare": 0.09}, {"glare": 0.01}, "back.glare"),
    ({"glare": 0.09, "covered": 0.3}, {}, "back.glare"),
    ({"covered": 0.1}, {}, "back.covered"),
    ({"covered": 0.3, "streaks": 0.8}, {}, "back.blurred"),
    ({"streaks": 0.8}, {}, "back.blurred"),
    ({"sharpness": 0.2}, {}, "back.blurred"),
    ({"sharpness": None}, {}, "back.unreadable"),
    ({"detail": 0.02}, {}, "back.blurred"),
    ({"detail": 0.2}, {}, "back.unreadable"),
    ({"detail": 0.02, "covered": 0.3}, {}, "back.covered"),
    ({"name": "curp", "glare": 0.09}, {}, "back.unreadable"),
    ({"name": "curp", "glare": 0.4}, {}, "back.glare"),
    ({"brightness": 0.1}, {}, "back.dark"),
    ({"covered": 0.3}, {"brightness": 0.05}, "back.dark"),
    ({"sharpness": 0.2}, {"px_per_mm": 4.0}, "back.too_far"),
    ({"covered": 0.3}, {"px_per_mm": 4.0}, "back.too_far"),
    ({"covered": 0.3}, {"sharpness": 0.1}, "back.blurred"),
    ({"glare": 0.3}, {"sharpness": 0.1}, "back.glare"),
])
def test_what_was_not_read_names_its_cause(changes: dict[str, Any], quality: dict[str, float], code: str) -> None:
    evidence = good_support()
    region = replace(GOOD, **changes)
    poor = side(Side.BACK, quality=replace(SHARP, **quality, regions=(region,)))
    evidence = replace(evidence, card=replace(evidence.card, back=poor), mrz=None, codes=(), readings=front_readings())
    check = decide(evidence, context()).check(CheckName.SIDE_QUALITY)
    assert [reason.code for reason in check.reasons] == [code]


def test_both_sides_faults_are_asked_for_at_once() -> None:
    evidence = good_support()
    curp = replace(GOOD, name="curp", covered=0.5)
    front = side(Side.FRONT, quality=replace(SHARP, regions=(curp,)))
    back = side(Side.BACK, quality=replace(SHARP, regions=(replace(GOOD, glare=0.2),)))
    evidence = replace(evidence, card=replace(evidence.card, front=front, back=back), mrz=None, codes=(), readings=front_readings())
    reasons = decide(evidence, context()).check(CheckName.SIDE_QUALITY).reasons
    assert [(reason.code, reason.subject) for reason in reasons] == [("front.covered", "front"), ("back.glare", "back")]


@pytest.mark.parametrize("size", [(1500, 2000), (3000, 2250)])
@pytest.mark.parametrize("share", [0.004, 0.008, 0.012])
def test_a_photo_s_blur_is_the_one_that_it_was_given(share: float, size: tuple[int, int]) -> None:
    """A desk with things on it: squares of all kinds, out of focus."""
    rng = np.random.default_rng(4)
    desk = np.full((*size, 3), 120, np.uint8)
    for x, y, grey in zip(*rng.integers(0, max(size), (2, 60)), rng.integers(0, 255, 60), strict=True):
        desk[y:y + size[0] // 5, x:x + size[1] // 7] = grey
    blurred = cv2.GaussianBlur(desk, (0, 0), share * max(size))
    noisy = np.clip(blurred + rng.normal(0, 4, blurred.shape), 0, 255).astype(np.uint8)
    assert photo_blur(noisy) == pytest.approx(share, rel=0.2)


def test_a_photo_of_nothing_has_no_blur() -> None:
    assert photo_blur(np.full((1000, 1400, 3), 90, np.uint8)) is None


@pytest.mark.parametrize(("read", "covered", "code"), [(True, None, None), (False, 0.0, None), (False, 0.3, "front.covered")])
def test_on_a_legible_side_only_what_hides_a_value_counts(read: bool, covered: float | None, code: str | None) -> None:
    """A good front, soft and streaked all over: only a thing that lies on an unread value is asked to be taken away."""
    evidence = good_support()
    curp = RegionQuality("curp", (25.0, 40.0, 57.0, 45.0), read, 0.0, 0.8, covered, 0.1, 0.2)
    soft = side(Side.FRONT, quality=replace(SHARP, sharpness=0.1, regions=(curp,)))
    check = decide(replace(evidence, card=replace(evidence.card, front=soft)), context()).check(CheckName.SIDE_QUALITY)
    assert [reason.code for reason in check.reasons] == ([] if code is None else [code])


@pytest.mark.parametrize(("light", "blur", "code"), [
    (0.08, None, "back.dark"), (0.7, None, "back.no_card"), (0.7, 0.002, "back.no_card"), (0.7, 0.02, "back.blurred"),
    (0.08, 0.02, "back.dark")])
def test_where_no_card_was_found_the_whole_photo_says_why(light: float, blur: float | None, code: str) -> None:
    evidence = good_support()
    photos = {**evidence.card.photos, Side.BACK: PhotoEvidence(Sighting.NONE, None, light=light, blur=blur)}
    evidence = replace(evidence, card=replace(evidence.card, back=None, photos=photos), mrz=None, codes=())
    assert [reason.code for reason in decide(evidence, context()).check(CheckName.BACK_LOCATED).reasons] == [code]
