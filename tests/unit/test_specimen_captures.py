"""Captures of specimens: what the truth says must be what the pixels show."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from models.specimens.camera import RANGES, Defect, Severity, Shot, draw_scene, photograph
from models.specimens.camera_copies import on_phone
from models.specimens.camera_pose import card_outline, draw_pose
from models.specimens.camera_prints import colour_copied, cut_out
from models.specimens.camera_sensor import encode, motion_blur, stored
from pipeline.stages.geometry import CARD_MM, homography, is_convex, transform

DOTS_MM = np.array([[8.0, 7.0], [78.0, 9.0], [77.0, 46.0], [9.0, 45.0], [42.8, 27.0]])


def side_with_dots() -> np.ndarray:
    """A grey card side at 20 px/mm with black dots of 2 mm at `DOTS_MM`."""
    side = np.full((1080, 1712, 3), 215, np.uint8)
    scale = np.array([1712 / CARD_MM[0], 1080 / CARD_MM[1]])
    for dot in DOTS_MM:
        at = np.rint((dot * scale - 0.5) * 256).astype(int)
        cv2.circle(side, (int(at[0]), int(at[1])), 20 * 256, (0, 0, 0), -1, cv2.LINE_AA, 8)
    return side


def displayed(jpeg: bytes) -> np.ndarray:
    """The photo as a viewer shows it, BGR: by Pillow, which is no part of how it was written."""
    return np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(jpeg))).convert("RGB"))[..., ::-1]


def dot_centre(photo: np.ndarray, near: np.ndarray, reach: float) -> np.ndarray:
    """Centroid of darkness round an expected place, so that a shift would show."""
    x0, y0 = (np.floor(near - reach)).astype(int)
    x1, y1 = (np.ceil(near + reach)).astype(int) + 1
    patch = cv2.cvtColor(np.ascontiguousarray(photo[y0:y1, x0:x1]), cv2.COLOR_BGR2GRAY).astype(float)
    weight = np.clip(np.median(patch) * 0.8 - patch, 0, None)
    y, x = np.mgrid[y0:y1, x0:x1]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(4))
def test_the_corners_say_where_the_card_lies(seed: int) -> None:
    shot = photograph(side_with_dots(), np.random.default_rng(seed), Severity.NORMAL, long_side=1600)
    assert shot.corners is not None
    photo = displayed(shot.jpeg)
    assert photo.shape[:2] == (shot.height, shot.width)
    places = transform(homography(card_outline(), shot.corners), DOTS_MM)
    reach = 2.0 * shot.parameters["px_per_mm"]
    errors = [float(np.linalg.norm(dot_centre(photo, place, reach) - place)) for place in places]
    # the dots are 2 mm, the light uneven, a glare may touch one: half a pixel of the median is what noise leaves
    assert np.median(errors) < 0.5, errors


@pytest.mark.parametrize("severity", list(Severity))
def test_a_whole_card_lies_inside_the_frame_and_within_the_design(severity: Severity) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frame = (2000, 1500) if seed % 2 else (1500, 2000)
        pose = draw_pose(rng, frame, RANGES[severity].pose)
        assert is_convex(pose.corners)
        assert np.all(pose.corners > 0) and np.all(pose.corners < np.array(frame) - 1)
        assert pose.tilt <= {"easy": 8, "normal": 20, "hard": 35}[severity]
        assert severity is not Severity.EASY or pose.direction == 0


def test_a_cut_card_leaves_the_frame() -> None:
    for seed in range(40):
        pose = draw_pose(np.random.default_rng(seed), (2000, 1500), RANGES[Severity.NORMAL].pose, cut=True)
        inside = np.all((pose.corners >= 0) & (pose.corners <= np.array([1999, 1499])), axis=1)
        assert not inside.all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_exif_orientation_shows_the_same_picture(orientation: int) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    seen = displayed(encode(picture, 98, orientation, "Telefono", "2026:11:24 10:00:00"))
    assert seen.shape == picture.shape
    assert np.abs(seen.astype(int) - picture).mean() < 6


def test_an_orientation_outside_exif_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        stored(np.zeros((4, 4, 3), np.uint8), 9)


@pytest.mark.parametrize("defect", [None, Defect.SCREEN, Defect.PHONE_SCREEN, Defect.PHOTOCOPY, Defect.COLOUR_COPY,
                                    Defect.CUT_OUT, Defect.NO_CARD])
def test_the_same_state_gives_the_same_bytes(defect: Defect | None) -> None:
    side = None if defect is Defect.NO_CARD else side_with_dots()

    def take() -> Shot:
        return photograph(side, np.random.default_rng(7), Severity.HARD, long_side=1000, defect=defect)

    first, second = take(), take()
    assert first.jpeg == second.jpeg and first.parameters == second.parameters
    assert (first.corners is None) == (defect is Defect.NO_CARD)


def test_a_missing_side_is_refused() -> None:
    with pytest.raises(ValueError, match="side image"):
        photograph(None, np.random.default_rng(0), Severity.EASY, long_side=2000)


@pytest.mark.parametrize("length, angle", [(8, 0), (8, 90), (16, 45)])
def test_motion_spreads_a_point_along_its_line(length: float, angle: float) -> None:
    picture = np.zeros((65, 65, 3), np.uint8)
    picture[31:34, 31:34] = 255
    y, x = np.nonzero(motion_blur(picture, length, angle)[..., 0] > 4)
    along = (x - 32) * np.cos(np.radians(angle)) + (y - 32) * np.sin(np.radians(angle))
    across = -(x - 32) * np.sin(np.radians(angle)) + (y - 32) * np.cos(np.radians(angle))
    assert length - 2 <= np.ptp(along) <= length + 6
    assert np.ptp(across) <= 5


def test_defects_show_in_the_pixels() -> None:
    """A blurred card has lost its edges, a photocopy its colour, a dark one its light."""
    side = side_with_dots()
    side[:200] = (160, 40, 140)

    def card_of(defect: Defect | None) -> np.ndarray:
        scene = draw_scene(np.random.default_rng(1), Severity.EASY)
        shot = photograph(side, np.random.default_rng(3), Severity.EASY, long_side=1400, defect=defect, scene=scene)
        assert shot.corners is not None
        frame = np.array([[0, 0], [855, 0], [855, 539], [0, 539]], dtype=np.float64)
        return cv2.warpPerspective(displayed(shot.jpeg), homography(shot.corners, frame), (856, 540))

    good = card_of(None)

    def edges(card: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(cv2.GaussianBlur(card, (0, 0), 1.2), cv2.CV_32F)).max())

    def colour(card: np.ndarray) -> float:
        return float(np.ptp(card[20:80, 100:700].mean(axis=(0, 1))))

    assert edges(card_of(Defect.BLURRED)) < 0.4 * edges(good)
    assert colour(card_of(Defect.PHOTOCOPY)) < 0.5 * colour(good)
    assert card_of(Defect.DARK).mean() < 0.25 * good.mean()
    assert (card_of(Defect.GLARE)[400:500, 100:750].min(axis=2) > 230).mean() > 0.6


def test_a_colour_copy_keeps_the_colour_and_breaks_it_into_dots() -> None:
    """A plain pink side: the copy is about as pink, and four inks vary where the side did not."""
    side = np.full((1080, 1712, 3), (190, 170, 240), np.uint8)
    copy = colour_copied(np.random.default_rng(4), side).astype(np.float32)
    assert np.ptp(copy.mean(axis=(0, 1))) > 0.4 * 70
    assert copy[..., 1].std() > 12
    small = cv2.resize(copy, (107, 68), interpolation=cv2.INTER_AREA)
    assert small[..., 1].std() < 0.5 * copy[..., 1].std()


def test_a_cut_out_is_cut_square_or_round_with_or_without_a_rim() -> None:
    side = np.full((540, 856, 3), (60, 60, 200), np.uint8)
    drawn = [cut_out(np.random.default_rng(seed), side) for seed in range(12)]
    assert {kind for _, _, kind in drawn} == {"colour", "grey"}
    assert {int(mask[2, 2]) for _, mask, _ in drawn} == {0, 255}
    rims = [bool((picture[picture.shape[0] // 2, 0] >= 240).all()) for picture, _, _ in drawn]
    assert any(rims) and not all(rims)


def test_a_phone_s_screen_is_darker_between_its_dots_the_nearer_the_camera() -> None:
    side = np.full((540, 856, 3), 200, np.uint8)
    near, far = (on_phone(np.random.default_rng(2), side, px_per_mm)[0].astype(np.float32) for px_per_mm in (40.0, 8.0))
    assert np.percentile(near, 5) < 0.5 * np.percentile(far, 5)
    assert near.std() > 3 * far.std()
