"""Finding, aligning and comparing faces: geometry by tables and properties, persons by the portraits of `make weights`."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from models.registry import load_calibration, weight_path
from pipeline.networks.api import Image, Networks
from pipeline.networks.face_detector import LEFT_EYE, STRIDES, Face, Letterbox, faces_of, letterbox, overlap
from pipeline.networks.face_recogniser import FRAME, align, similarity
from pipeline.stages.decode import Photo
from pipeline.stages.face_quality import sharpness, yaw
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH
from pipeline.stages.match_face import (
    detect_faces,
    embed,
    find_ghost,
    find_portrait,
    find_selfie,
    main_face,
    match_faces,
    portrait_score,
)
from pipeline.wiring import local_networks

PORTRAITS = ("person_a_1", "person_a_2", "person_b_1", "person_b_2", "impostor_1", "impostor_2", "astronaut")
GENUINE = {("person_a_1", "person_a_2"), ("person_b_1", "person_b_2")}


@pytest.fixture(scope="module")
def networks() -> Networks:
    return local_networks()


def portrait(name: str) -> Image:
    if name == "astronaut":
        return np.ascontiguousarray(skimage.data.astronaut()[:260, 90:350, ::-1])
    image = cv2.imread(str(weight_path(f"portrait_{name}")), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def card_with(picture: Image, ghost: Image | None = None) -> Image:
    """A pale card with the picture where the portrait is, 480 pixels high, and a pale grey one of half the size at the right."""
    card = np.full((CARD_HEIGHT, CARD_WIDTH, 3), (205, 215, 222), np.uint8)

    def put(image: Image, height: int, x: int) -> None:
        scaled = cv2.resize(image, (round(image.shape[1] * height / image.shape[0]), height), interpolation=cv2.INTER_AREA)
        card[300 : 300 + height, x : x + scaled.shape[1]] = scaled

    put(picture, 480, 70)
    if ghost is not None:
        grey = cv2.cvtColor(ghost, cv2.COLOR_BGR2GRAY).astype(np.float32) * 0.4 + 130
        put(cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR), 300, 1380)
    return card


@settings(deadline=None)
@given(
    turn=st.floats(-3, 3), scale=st.floats(0.05, 20), x=st.floats(-500, 500), y=st.floats(-500, 500),
)
def test_similarity_finds_the_transform_that_made_the_points(turn: float, scale: float, x: float, y: float) -> None:
    wanted = np.array([[scale * np.cos(turn), -scale * np.sin(turn), x], [scale * np.sin(turn), scale * np.cos(turn), y]])
    moved = FRAME @ wanted[:, :2].T + wanted[:, 2]
    np.testing.assert_allclose(similarity(FRAME, moved), wanted, atol=1e-6 * max(1.0, scale, abs(x), abs(y)))


def test_similarity_never_mirrors_and_refuses_one_point() -> None:
    mirrored = FRAME * [-1, 1]
    matrix = similarity(mirrored, FRAME)
    assert np.linalg.det(matrix[:, :2]) > 0
    with pytest.raises(ValueError, match="one place"):
        similarity(np.ones((5, 2)), FRAME)


@settings(deadline=None)
@given(
    width=st.integers(20, 400), height=st.integers(20, 400), margin=st.floats(0, 0.6),
    size=st.sampled_from([(192, 320), (320, 320), (480, 288)]),
)
def test_letterbox_keeps_proportions_and_maps_back(width: int, height: int, margin: float, size: tuple[int, int]) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    batch, place = letterbox(image, size, margin)
    assert batch.shape == (1, 3, size[1], size[0])
    covered = np.argwhere(batch[0, 0] == 0)
    top, left = covered.min(axis=0)
    bottom, right = covered.max(axis=0) + 1
    assert (left, top) == (place.x, place.y)
    assert abs((right - left) - max(1, width * place.scale)) <= 0.5 + 1e-9
    assert abs((bottom - top) - max(1, height * place.scale)) <= 0.5 + 1e-9
    assert right - left <= max(1.0, size[0] * (1 - margin) + 0.5)
    assert bottom - top <= max(1.0, size[1] * (1 - margin) + 0.5)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),
        ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),
    ],
)
def test_overlap(a: tuple[float, ...], b: tuple[float, ...], wanted: float) -> None:
    assert overlap(a, b) == pytest.approx(wanted)


def test_grid_decoding_of_one_cell_and_its_double() -> None:
    """Stride 16, cell (3, 2) of a 64x64 input: the numbers are worked out by hand."""
    outputs = [np.zeros((1, (64 // stride) ** 2, width), np.float32) for width in (1, 1, 4, 10) for stride in STRIDES]
    cell = 2 * 4 + 3
    outputs[1][0, cell], outputs[4][0, cell] = 0.81, 1.0
    outputs[7][0, cell] = [0.5, 0.25, np.log(2), np.log(4)]
    outputs[10][0, cell] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    outputs[1][0, cell - 1], outputs[4][0, cell - 1] = 0.64, 1.0
    outputs[7][0, cell - 1] = [1.5, 0.25, np.log(2), np.log(4)]
    (found,) = faces_of(outputs, (64, 64), 0.5)
    face = Letterbox(0.5, 8, 4).back(found)
    assert face.score == pytest.approx(0.9)
    # centre (3.5, 2.25) * 16 = (56, 36), 32 x 64: box 40, 4, 72, 68; less the offset, over the scale
    assert face.box == pytest.approx((64, 0, 128, 128), abs=1e-5)
    np.testing.assert_allclose(face.landmarks[LEFT_EYE], [(64 - 8) / 0.5, (32 - 4) / 0.5])
    assert face.eyes == pytest.approx(32)


@settings(deadline=None)
@given(st.integers(0, 3), st.floats(0, 99), st.floats(0, 99))
def test_turning_back_finds_the_pixel_again(turns: int, x: float, y: float) -> None:
    column, row = int(x), int(y)
    image = np.zeros((100, 100), np.uint8)
    image[row, column] = 255
    ((found_row, found_column),) = np.argwhere(np.rot90(image, turns))
    points = np.repeat([[found_column, found_row]], 5, axis=0).astype(np.float64)
    face = Face((found_column, found_row, found_column, found_row), 1.0, points).turned_back(turns, 100)
    np.testing.assert_allclose(face.landmarks[0], [column, row])
    assert face.box == pytest.approx((column, row, column, row))


@pytest.mark.parametrize(("nose", "wanted"), [(50, 0.0), (60, 0.5), (40, -0.5), (70, 1.0), (95, 1.0)])
def test_yaw(nose: float, wanted: float) -> None:
    points = np.array([[30, 40], [70, 40], [nose, 60], [35, 80], [65, 80]], dtype=np.float64)
    assert yaw(points) == pytest.approx(wanted)


def test_blur_lowers_sharpness_and_a_flat_face_has_none() -> None:
    grey = cv2.cvtColor(portrait("astronaut"), cv2.COLOR_BGR2GRAY)
    values = [sharpness(np.asarray(grey, dtype=np.uint8))]
    values += [sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), dtype=np.uint8)) for sigma in (1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] / 2
    assert sharpness(np.full((112, 112), 90, np.uint8)) == 0.0


@pytest.mark.parametrize("turn", [-0.6, 0.0, 0.3, 2.0])
@pytest.mark.parametrize("scale", [0.7, 1.0, 3.0, 8.0])
def test_alignment_puts_points_where_the_recogniser_wants_them(turn: float, scale: float) -> None:
    """Five dots drawn where a turned and enlarged frame puts them come out at the frame's places, enlarged or shrunk."""
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (FRAME - 56) @ matrix.T + 600
    image = np.zeros((1200, 1200, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x * 16), round(y * 16)), round(3 * scale * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    aligned = cv2.cvtColor(align(image, points), cv2.COLOR_BGR2GRAY)
    for x, y in FRAME:
        spot = np.argwhere(aligned[round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7] > 127)
        np.testing.assert_allclose(spot.mean(axis=0) + np.array([round(y) - 6, round(x) - 6]), [y, x], atol=0.6)


def test_persons(networks: Networks) -> None:
    """Different photographs of one person match; no two persons do; an embedding is a unit vector."""
    calibration = load_calibration()
    crops = []
    for name in PORTRAITS:
        image = portrait(name)
        face, count = find_selfie(image, networks, calibration)
        assert face is not None, name
        assert count == 1, name
        crops.append(align(image, face.landmarks))
    vectors = embed(crops, networks)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for i, a in enumerate(PORTRAITS):
        for j, b in enumerate(PORTRAITS[:i]):
            cosine = float(vectors[i] @ vectors[j])
            if (b, a) in GENUINE:
                assert cosine >= calibration["face.match"], (a, b, cosine)
            else:
                assert cosine < calibration["face.no_match"], (a, b, cosine)


@pytest.mark.parametrize("crop", [0.0, 0.12, 0.2])
def test_a_face_that_fills_the_frame_is_found(networks: Networks, crop: float) -> None:
    image = portrait("impostor_1")
    x0, y0, x1, y1 = (round(value) for value in detect_faces(image, networks, load_calibration())[0].box)
    inset = round((y1 - y0) * crop / 2)
    close = np.ascontiguousarray(image[y0 + inset : y1 - inset, x0 : x1])
    face, count = find_selfie(close, networks, load_calibration())
    assert face is not None
    assert count == 1


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("name", ["person_a_1", "person_b_2", "astronaut"])
def test_a_picture_that_lost_its_orientation_gives_the_same_face(networks: Networks, name: str, turns: int) -> None:
    """The detector finds lying faces too, with landmarks in the wrong places: the embedding tells whether they are right."""
    image = portrait(name)
    lying = np.ascontiguousarray(np.rot90(image, turns))
    upright, turned = (find_selfie(view, networks, load_calibration())[0] for view in (image, lying))
    assert upright is not None
    assert turned is not None
    a, b = embed([align(image, upright.landmarks), align(lying, turned.landmarks)], networks)
    assert float(a @ b) > 0.9


def test_two_persons_side_by_side_are_counted_and_none_in_a_blank(networks: Networks) -> None:
    a, b = portrait("person_a_1"), portrait("impostor_2")
    b = np.asarray(cv2.resize(b, (round(b.shape[1] * a.shape[0] / b.shape[0]), a.shape[0])), dtype=np.uint8)
    assert find_selfie(np.hstack([a, b]), networks, load_calibration())[1] == 2
    assert find_selfie(np.full((600, 400, 3), 128, np.uint8), networks, load_calibration()) == (None, 0)


def face_at(x: float, y: float, eyes: float) -> Face:
    """A face with its eyes so far apart, its middle at (x, y)."""
    points = np.array([[x - eyes / 2, y], [x + eyes / 2, y], [x, y + eyes / 2], [x - eyes / 3, y + eyes], [x + eyes / 3, y + eyes]])
    return Face((x - eyes, y - eyes, x + eyes, y + eyes), 0.9, points)


@pytest.mark.parametrize(("faces", "main", "count"), [
    ([], None, 0),
    ([(500, 400, 100)], 0, 1),
    ([(500, 400, 100), (900, 200, 40)], 0, 1),
    ([(900, 200, 40), (500, 400, 100)], 1, 1),
    ([(500, 400, 100), (930, 200, 65)], 0, 1),
    ([(300, 400, 100), (700, 400, 90)], 0, 2),
    ([(100, 400, 100), (500, 400, 95)], 1, 2),
    ([(500, 400, 60), (950, 100, 100)], 1, 2),
    ([(200, 300, 90), (500, 300, 90), (800, 300, 90)], 1, 3),
], ids=["none", "one", "a poster", "a poster first", "a passer-by at the edge", "two side by side", "the middle of two",
        "a larger one at the edge competes", "three"])
def test_the_main_face_by_size_and_place(faces: list[tuple[float, float, float]], main: int | None, count: int) -> None:
    found = tuple(face_at(*one) for one in faces)
    chosen, number = main_face(found, np.zeros((800, 1000, 3), np.uint8))
    assert number == count
    assert chosen is (None if main is None else found[main])


def test_a_small_face_in_the_background_is_no_second_person(networks: Networks) -> None:
    """A poster in the corner, a third as large: the selfie's face is found, and alone."""
    image = np.full((900, 900, 3), 170, np.uint8)
    near, far = portrait("person_b_1"), portrait("impostor_2")
    near = np.asarray(cv2.resize(near, (round(near.shape[1] * 700 / near.shape[0]), 700)), dtype=np.uint8)
    far = np.asarray(cv2.resize(far, (round(far.shape[1] * 170 / far.shape[0]), 170)), dtype=np.uint8)
    image[10 : 10 + far.shape[0], 890 - far.shape[1] : 890] = far
    width = min(near.shape[1], 700)
    image[200:900, 20 : 20 + width] = near[:, :width]
    face, count = find_selfie(image, networks, load_calibration())
    assert face is not None
    assert count == 1
    assert face.box[0] < 20 + width and face.box[1] > 150


def test_portrait_and_ghost_lie_where_they_were_put(networks: Networks) -> None:
    picture = portrait("person_a_2")
    card = card_with(picture, picture)
    found, ghost = find_portrait(card, networks, load_calibration()), find_ghost(card, networks, load_calibration())
    assert found is not None
    assert ghost is not None
    assert 70 < found.box[0] < found.box[2] < 70 + 480
    assert 1380 < ghost.box[0] < ghost.box[2] < CARD_WIDTH
    assert found.eyes > 1.3 * ghost.eyes
    upside_down = np.asarray(cv2.rotate(card_with(picture), cv2.ROTATE_180), dtype=np.uint8)
    assert portrait_score(card, networks) > 0.8 > portrait_score(upside_down, networks)


@pytest.mark.parametrize(
    ("selfie", "same"), [("person_a_1", True), ("person_b_1", False), ("impostor_2", False), ("astronaut", False)]
)
def test_match_faces(networks: Networks, selfie: str, same: bool) -> None:
    calibration = load_calibration()
    card = card_with(portrait("person_a_2"), portrait("person_a_2"))
    view = portrait(selfie)
    photo = Photo(view, 2.0, view.shape[1] * 2, view.shape[0] * 2)
    match = match_faces(card, 10.0, photo, networks, calibration)
    evidence = match.evidence
    assert evidence.portrait is not None
    assert evidence.selfie is not None
    assert evidence.selfie_faces == 1
    assert evidence.similarity is not None
    assert (evidence.similarity >= calibration["face.match"]) is same
    assert same or evidence.similarity < calibration["face.match"] - 0.1
    assert match.embedding is not None
    # half the rectified card's 20 px/mm: the photograph holds half the pixels between the eyes
    face = find_portrait(card, networks, calibration)
    assert face is not None
    assert evidence.portrait.eyes_px == pytest.approx(face.eyes / 2)
    assert evidence.portrait.box == pytest.approx(tuple(value / 20 for value in face.box))
    seen, _ = find_selfie(view, networks, calibration)
    assert seen is not None
    assert evidence.selfie.box == pytest.approx(tuple(2 * value for value in seen.box))


@pytest.mark.parametrize(("card", "selfie"), [(False, False), (True, False), (False, True)])
def test_what_is_missing_is_none(networks: Networks, card: bool, selfie: bool) -> None:
    view = portrait("person_a_1")
    match = match_faces(
        card_with(view) if card else None, 10.0, Photo(view, 1.0, view.shape[1], view.shape[0]) if selfie else None,
        networks, load_calibration(),
    )
    assert match.evidence.similarity is None
    assert (match.evidence.portrait is not None) is card
    assert (match.evidence.selfie is not None) is selfie
    assert (match.embedding is not None) is (card or selfie)
