"""Where the card lies in a photograph: a small network proposes, edges refine, and both judge.

One look at the whole picture is the fast path. Where its answer is poorly supported, a second look at crops follows, and
contours add proposals of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter

import cv2
import numpy as np

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import Sighting
from pipeline.networks.api import Image, Networks
from pipeline.networks.locator import Sight, Window, candidates, cells_at_frame, halved, look, overlap, runs_on
from pipeline.stages.combine_sides import combine, shape_worth
from pipeline.stages.contours import contour_quads
from pipeline.stages.geometry import CARD_MM, Quad, quad_area, quad_iou
from pipeline.stages.pose import pose_errors
from pipeline.stages.rectify import side_lengths
from pipeline.stages.refine import WEAK, Floats, refine

WORK_SIDE = 1600
"""The picture that edges are refined in is smaller: finer wins nothing at the views' usual blur, and costs four times."""
DARK, BRIGHT, MOST_GAIN = 100.0, 200.0, 12.0
"""A picture whose whitest hundredth is darker than the first is brightened towards the second: edge steps and the network's
own scale are in grey levels. `quality` says that it is dark; finding the card is what lets it say so of the right thing."""
DARK_SIGMA = 1.5
COARSE_SIDE = 400
REACH_SHARE = 0.022
"""How far a candidate's side may be off, as a share of the picture's long side: a map cell is 1/64 of it."""
SETTLE_PX = 4
"""Reach of the second, settling refinement in pixels of the working picture."""
ROUNDING = 0.011
"""Share of the long side by which a corner may lie beyond the frame: an ID-1 corner of radius 3.18 mm leaves 0.93 mm of air
on either axis where its sides meet, so nothing of the card is missing there."""
FRAME_SHARE = 0.02
"""A side without support that runs within this share of the long side along the frame is the frame, not the card."""
OTHERS, ELSEWHERE = 3, 0.4
"""Further things that are named at most, and the IoU below which one is not another reading of the first."""
RIM = 0.04
"""Share of a thing's size that is left out all round when a card is sought inside: its own edges are not that card's."""
OUTLINED, PART = 0.9, 0.5
"""Support of its weakest side from which a thing is seen all round, and the IoU with it from which a candidate is made of it."""
SEEN = 0.8
"""Support of its weakest side from which a candidate's lines are the right ones, and nothing else is put together from it."""
COMBINE_SIDE, COMBINE_REACH = 500, 0.14
"""Long side of the picture in which lines are combined, and how far, as a share of the card's long side, they are sought."""
COMBINED_FROM, OUTLINED_FROM, COMBINED = 2, 1, 5
"""Candidates whose sides are combined, of the best score and of the best outline, and combinations of each that are judged."""
SAME_THING = 0.85
"""Share of a candidate's agreement with the seen area that a combination must keep: lines of print inside of a square can be
put together to the shape that is sought, and leave a quarter of the square out."""
COMBINE_ROUNDS = 2
"""The second starts from what the first found: a rough quad that is askew sees only a part of its neighbours' true sides."""
SAME = 0.75
"""IoU above which two candidates are the same thing."""

ALMOST_SAME = 0.95
"""The same of two candidates whose sides are to be combined: they may share three sides and differ in the fourth."""


@dataclass(frozen=True, slots=True)
class Located:
    """sighting: FOUND, NONE, CUT or SEVERAL.  quad: (4, 2) float64 view pixels, clockwise, its first side a long one (upright
    or half-turned: another stage settles that); None for NONE.  score: 0..1, area overlap times edge support times shape.
    others: further whole things of about the shape that is sought, best first, as quads like the first.  guess: the best
    candidate, also where its score is no word that anything was found; None where there was none at all."""

    sighting: Sighting
    quad: Quad | None
    score: float
    others: tuple[Quad, ...] = ()
    guess: Quad | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A refined candidate in pixels of the working picture. support: (4,) per side.  cut: it runs out of the frame.  outline:
    the score before its shape was asked for."""

    quad: Quad
    support: Floats
    score: float
    cut: bool
    outline: float = 0.0


SMALLEST_VIEW = 64
"""Pixels of the short side: on fewer no word of a card could be read, and crops of it would be empty."""


def locate(view: Image, networks: Networks, calibration: Calibration, *, ratio: float = CARD_MM[0] / CARD_MM[1],
           thorough: bool = False) -> Located:
    """Finds the one card in a photograph.

    view: (H, W, 3) BGR uint8, upright.  ratio: long over short side of what is sought; shapes far from it lose score.
    thorough: take the second look even where the first was sure; it may be sure of another thing.
    Thresholds: models/calibration/locate.json.
    """
    if min(view.shape[:2]) < SMALLEST_VIEW:
        return Located(Sighting.NONE, None, 0.0)
    picture, step = _working_picture(view)
    height, width = picture.shape[:2]
    whole = look(picture, [(0, 0, width, height)], networks)[0]
    judged: list[Judged] = []
    for quad in candidates(whole):
        if all(quad_iou(quad, other.quad) < SAME for other in judged):
            judged.append(_judge(picture, quad, whole, ratio))
    if thorough or max((j.score for j in judged), default=0.0) < calibration["locate.second_look"]:
        judged += _second_look(picture, judged, whole, networks, ratio)
        judged += _completed(picture, judged, whole, ratio)
        for _ in range(COMBINE_ROUNDS):
            best_yet = max((j.score for j in judged), default=0.0)
            more = _combined(picture, judged, whole, ratio) if best_yet < calibration["locate.combine"] else []
            judged += more
            if max((j.score for j in more), default=0.0) <= best_yet:
                break
    judged = [j for j in judged if not any(_is_other_shape(other, j) for other in judged)]
    judged.sort(key=lambda j: (j.cut or j.score < calibration["locate.found"], -j.score))
    best = judged[0] if judged else None
    if best is None:
        return Located(Sighting.NONE, None, 0.0)
    sighting = _sighting(best, judged, whole, calibration)
    others = _others(best, judged, calibration)
    quad, *rest = (long_side_first((j.quad + 0.5) * step - 0.5) for j in (best, *others))
    return Located(sighting, None if sighting is Sighting.NONE else quad, best.score, tuple(rest), quad)


def things(view: Image, located: Located, networks: Networks, calibration: Calibration) -> Iterator[Quad]:
    """What in the picture may be the card, each dearer to find than the one before: what was located, what a second look finds
    beside it, and what lies within it."""
    first = [] if located.guess is None or located.sighting is Sighting.CUT else [located.guess]
    told = [*first, *located.others]
    yield from told
    if located.score >= calibration["locate.second_look"]:  # below it the second look was taken already
        again = locate(view, networks, calibration, thorough=True)
        for quad in ([] if again.quad is None or again.sighting is Sighting.CUT else [again.quad]) + list(again.others):
            if all(quad_iou(quad, other) < SAME for other in told):
                yield quad
    if located.guess is not None:
        inner = locate_inside(view, located.guess, networks, calibration)
        if inner is not None:
            yield inner


def locate_inside(view: Image, quad: Quad, networks: Networks, calibration: Calibration) -> Quad | None:
    """A card within what was located: a copy on a sheet, a picture on a screen. None where no whole one is there.

    view, quad: as `locate` takes and gives them.
    """
    (x0, y0), (x1, y1) = np.floor(quad.min(axis=0)).astype(int), np.ceil(quad.max(axis=0)).astype(int)
    rim = round(RIM * max(x1 - x0, y1 - y0))
    x0, y0, x1, y1 = max(x0 + rim, 0), max(y0 + rim, 0), min(x1 - rim, view.shape[1]), min(y1 - rim, view.shape[0])
    found = locate(np.ascontiguousarray(view[y0:y1, x0:x1]), networks, calibration)
    return None if found.quad is None or found.sighting is Sighting.CUT else found.quad + np.array([x0, y0])


def _sighting(best: Judged, judged: list[Judged], whole: Sight, calibration: Calibration) -> Sighting:
    """What the best candidate is."""
    if runs_on(whole, best.quad) >= calibration["locate.runs_on"]:
        return Sighting.CUT  # whatever the rest of its outline is worth
    hidden = best.score < calibration["locate.whole"] and best.support.min() < SEEN
    touches = hidden and cells_at_frame(whole, best.quad) >= calibration["locate.cut_cells"]
    if best.cut or touches:
        return Sighting.CUT if best.score >= calibration["locate.cut"] else Sighting.NONE
    if best.score < calibration["locate.found"]:
        return Sighting.NONE
    return Sighting.SEVERAL if any(_another(best, j, calibration) for j in judged) else Sighting.FOUND


def _is_other_shape(whole: Judged, part: Judged) -> bool:
    """Whether a candidate is but a part of a thing that is seen all round and has another shape: a banknote's middle."""
    seen = not whole.cut and whole.support.min() >= OUTLINED and whole.score < 0.5 * whole.outline
    return seen and part.outline < whole.outline and quad_iou(whole.quad, part.quad) > PART


def _others(best: Judged, judged: list[Judged], calibration: Calibration) -> list[Judged]:
    """Whole candidates elsewhere, or of another size, that would have been found had they been alone."""
    others: list[Judged] = []
    for j in judged:
        if len(others) < OTHERS and j.score >= calibration["locate.found"] and not j.cut and all(
                quad_iou(j.quad, other.quad) < ELSEWHERE for other in (best, *others)):
            others.append(j)
    return others


def long_side_first(quad: Quad) -> Quad:
    """The same corners, started so that the first side is a long one and its start is the upper or left of the two."""
    sides = side_lengths(quad)
    turned = quad if sides[0] + sides[2] >= sides[1] + sides[3] else np.roll(quad, -1, axis=0)
    along = turned[1] - turned[0]
    upright = along[0] > 0 if abs(along[0]) >= abs(along[1]) else along[1] < 0
    return turned if upright else np.roll(turned, -2, axis=0)


def _working_picture(view: Image) -> tuple[Image, float]:
    """The view halved to a long side below `WORK_SIDE`, or lightly smoothed where it is that small, brightened where it is
    dark; and view pixels per pixel of it. Halving averages, and OpenCV does it ten times faster than any other reduction."""
    step = 1
    picture = view
    while max(picture.shape[:2]) >= WORK_SIDE:
        picture, step = halved(picture), step * 2
    if step == 1:
        picture = np.asarray(cv2.GaussianBlur(view, (3, 3), 0), dtype=np.uint8)
    white = float(np.quantile(picture[::8, ::8].max(axis=2), 0.99))
    if white < DARK:
        smooth = cv2.GaussianBlur(picture, (0, 0), DARK_SIGMA)  # the noise of the dark grows with it
        picture = np.asarray(cv2.convertScaleAbs(smooth, alpha=min(BRIGHT / max(white, 1.0), MOST_GAIN)), dtype=np.uint8)
    return picture, float(step)


def _second_look(picture: Image, judged: list[Judged], whole: Sight, networks: Networks, ratio: float) -> list[Judged]:
    """More candidates: the network on a crop round the best one so far and on the middle of the picture; contours."""
    height, width = picture.shape[:2]
    windows = [_grown((width * 0.3, height * 0.3, width * 0.7, height * 0.7), 1.75, picture)]
    if judged:
        best = max(judged, key=lambda j: j.score).quad
        windows.append(_grown((*best.min(axis=0), *best.max(axis=0)), 1.4, picture))
    more = [_judge(picture, quad, sight, ratio) for sight in look(picture, windows, networks) for quad in candidates(sight)]
    step = max(1.0, max(height, width) / COARSE_SIDE)
    coarse = cv2.resize(picture, (round(width / step), round(height / step)), interpolation=cv2.INTER_AREA)
    for quad in contour_quads(np.asarray(coarse, dtype=np.uint8)):
        placed = (quad + 0.5) * step - 0.5
        # a network that takes a dark portrait for something on the card is wrong by a side, and a contour may be right
        if all(quad_iou(placed, other.quad) < ALMOST_SAME for other in more):
            more.append(_judge(picture, placed, whole, ratio))
    return more


def _completed(picture: Image, judged: list[Judged], whole: Sight, ratio: float) -> list[Judged]:
    """Of the best candidate, what a corner between two well seen sides makes of it by the shape that is sought: one side is the
    short one, and the other runs on to the long one's length. A network that takes a portrait for the ground beside the card
    is wrong by more than lines are sought for. Only what is then seen all round is kept; that the network saw a part of it alone
    is not held against it."""
    best = max(judged, key=lambda j: j.score, default=None)
    if best is None or best.cut:
        return []
    reach = round(2 * REACH_SHARE * max(picture.shape[:2]))
    found: list[Judged] = []
    for corner in range(4):
        if min(best.support[corner - 1], best.support[corner]) < SEEN:
            continue
        here = best.quad[corner]
        before, after = best.quad[corner - 1] - here, best.quad[(corner + 1) % 4] - here
        lengths = float(np.linalg.norm(before)), float(np.linalg.norm(after))
        for stretched in (0, 1):
            longer = ratio * lengths[1 - stretched] / max(lengths[stretched], 1.0)
            if longer > 1.0:
                first, second = (before * longer, after) if stretched == 0 else (before, after * longer)
                quad = np.roll(np.array([here + first, here, here + second, here + first + second]), corner - 1, axis=0)
                j = _judge(picture, quad, whole, ratio, reach=reach)
                if j.support.min() >= SEEN and not j.cut and quad_area(j.quad) > quad_area(best.quad):
                    share = overlap(whole, best.quad) / max(overlap(whole, j.quad), 1e-9)
                    found.append(replace(j, score=j.score * max(share, 1.0), outline=j.outline * max(share, 1.0)))
    return found


def _combined(picture: Image, judged: list[Judged], whole: Sight, ratio: float) -> list[Judged]:
    """The best candidates' sides, each also at its next likely lines, put together as their shape demands. In a reduced picture:
    what is sought is which line it is; refining says where exactly. A thing whose four sides are all seen, and which has another
    shape, is another thing: nothing is put together from it."""
    shrunk = max(1, round(max(picture.shape[:2]) / COMBINE_SIDE))
    height, width = picture.shape[0] // shrunk, picture.shape[1] // shrunk
    small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    best: list[Quad] = []
    # a side that is wrong spoils the shape, and so the score, and is what is mended here: those of the best outline have a say
    by_score, by_outline = (sorted(judged, key=attrgetter(worth), reverse=True) for worth in ("score", "outline"))
    for ranked, most in ((by_score, COMBINED_FROM), (by_outline, COMBINED_FROM + OUTLINED_FROM)):
        for j in ranked:
            if j.support.min() < SEEN and len(best) < most and all(quad_iou(j.quad, other) < ALMOST_SAME for other in best):
                best.append(j.quad)
    least = SAME_THING * max((overlap(whole, j.quad) for j in judged), default=0.0)
    found: list[Judged] = []
    for quad in best:
        rough = (quad + 0.5) / shrunk - 0.5
        reach = max(8, round(COMBINE_REACH * float(side_lengths(rough).max())))
        for combined in combine(small, rough, reach, (width, height), ratio, COMBINED):
            j = _judge(picture, (combined + 0.5) * shrunk - 0.5, whole, ratio, reach=SETTLE_PX * shrunk)
            if overlap(whole, j.quad) >= least:
                found.append(j)
    return found


def _grown(box: tuple[float, float, float, float], factor: float, picture: Image) -> Window:
    """The box grown round its centre, not thinner than the network's own shape, and clipped to the picture."""
    centre_x, centre_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    wide, high = (box[2] - box[0]) * factor / 2, (box[3] - box[1]) * factor / 2
    wide, high = max(wide, high * 0.75, 24.0), max(high, wide * 0.75, 24.0)
    x0, y0 = max(0, int(centre_x - wide)), max(0, int(centre_y - high))
    return x0, y0, min(picture.shape[1], int(centre_x + wide) + 1), min(picture.shape[0], int(centre_y + high) + 1)


def _judge(picture: Image, quad: Quad, sight: Sight, ratio: float, reach: int = 0) -> Judged:
    """Refines a candidate and scores it: area overlap, mean and least edge support, and how well its shape can be right.

    picture, quad: the working picture and its pixels.  reach: how far its sides may be off; by default what a map cell leaves.
    """
    reach = reach or max(6, round(REACH_SHARE * _long_side(sight.window)))
    refined = refine(picture, refine(picture, quad, reach).quad, SETTLE_PX)
    if quad_area(refined.quad) < 100:
        return Judged(quad, refined.support * 0.0, 0.0, False)
    cut = _runs_out(refined.quad, refined.support, picture)
    errors = pose_errors(refined.quad[None], (picture.shape[1], picture.shape[0]), ratio)
    shape = 1.0 if cut else float(shape_worth(errors)[0])  # of a thing that runs out of the frame no shape is known
    edges = float(refined.support.mean() * 0.65 + refined.support.min() * 0.35)
    outline = overlap(sight, refined.quad) * (0.35 + 0.65 * edges)
    return Judged(refined.quad, refined.support, outline * shape, cut, outline)


def _long_side(window: Window) -> int:
    return max(window[2] - window[0], window[3] - window[1])


def _runs_out(quad: Quad, support: Floats, picture: Image) -> bool:
    """Whether a corner lies beyond the frame, or a side without support runs along it."""
    last = np.array([picture.shape[1] - 1.0, picture.shape[0] - 1.0])
    air = ROUNDING * float(side_lengths(quad).max())
    if (quad < -air).any() or (quad > last + air).any():
        return True
    margin = FRAME_SHARE * max(picture.shape[:2])
    for side in range(4):
        ends = np.array([quad[side], quad[(side + 1) % 4]])
        along_frame = (ends < margin).all(axis=0).any() or (ends > last - margin).all(axis=0).any()
        if along_frame and support[side] < WEAK:
            return True
    return False


def _another(best: Judged, other: Judged, calibration: Calibration) -> bool:
    """Whether the other is a card of its own: well supported, elsewhere, and of a like size."""
    return (
        other.score >= calibration["locate.found"]
        and quad_iou(best.quad, other.quad) < 0.05
        and quad_area(other.quad) > calibration["locate.several_area"] * quad_area(best.quad)
    )
