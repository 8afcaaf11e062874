"""Before and after the locator network: windows of a picture to its input, its maps to candidate quads."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.networks.api import Array, Image, Net, Networks

WIDTH, HEIGHT = 256, 192
"""Input of the network; a portrait window is transposed into it (it knows mirrored cards)."""
SMALLEST = 0.012
"""Share of the window below which a patch of document area is noise."""
FULL = 0.75
"""Chance above which a cell is covered whole: a card that ends half a cell before the frame stays below."""
Quad = NDArray[np.float64]
Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the picture, the last ones excluded."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the network saw in one window. Maps lie as the window does: (48, 64), or (64, 48) for a portrait one.

    area: chance that a document covers the cell.  outline: that its edge runs there.  corners: (4, h, w), for each corner of
    the main document where it is; each sums to 1."""

    window: Window
    area: NDArray[np.float32]
    outline: NDArray[np.float32]
    corners: NDArray[np.float32]

    @property
    def cell(self) -> Quad:
        """Width and height of a map cell in pixels of the picture."""
        x0, y0, x1, y1 = self.window
        return np.array([(x1 - x0) / self.area.shape[1], (y1 - y0) / self.area.shape[0]])

    def to_picture(self, cells: Quad) -> Quad:
        """(N, 2) map cells (centres at whole numbers) to pixels of the picture."""
        return np.asarray((cells + 0.5) * self.cell + self.window[:2] - 0.5, dtype=np.float64)

    def to_cells(self, points: Quad) -> Quad:
        return np.asarray((points + 0.5 - self.window[:2]) / self.cell - 0.5, dtype=np.float64)


def look(picture: Image, windows: list[Window], networks: Networks) -> list[Sight]:
    """Runs the locator on windows of a picture, (H, W, 3) BGR uint8, in one batch."""
    batch = np.empty((len(windows), HEIGHT, WIDTH, 3), np.uint8)
    for index, (x0, y0, x1, y1) in enumerate(windows):
        piece = picture[y0:y1, x0:x1]
        size = (HEIGHT, WIDTH) if _portrait((x0, y0, x1, y1)) else (WIDTH, HEIGHT)
        while piece.shape[1] >= 2 * size[0] and piece.shape[0] >= 2 * size[1]:
            piece = halved(piece)
        small = cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR)
        batch[index] = small if size[0] == WIDTH else small.transpose(1, 0, 2)
    areas, corners = networks.run(Net.LOCATOR, batch)
    return [_sight(window, a, c) for window, a, c in zip(windows, areas, corners, strict=True)]


def halved(picture: Image) -> Image:
    """Every two by two pixels averaged; an odd last row or column is left out."""
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return np.asarray(cv2.resize(picture[:height * 2, :width * 2], (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _portrait(window: Window) -> bool:
    return window[3] - window[1] > window[2] - window[0]


def _sight(window: Window, areas: Array, corners: Array) -> Sight:
    if _portrait(window):
        areas, corners = areas.transpose(0, 2, 1), corners.transpose(0, 2, 1)
    return Sight(window, areas[0], areas[1], corners)


def candidates(sight: Sight) -> list[Quad]:
    """Clockwise convex quads in pixels of the picture: from the corner maps first, then one for each patch of area."""
    found = [main_corners(sight.corners), *_patches(sight)]
    return [sight.to_picture(quad) for quad in found if quad is not None]


def main_corners(maps: NDArray[np.float32]) -> Quad | None:
    """The main document's corners in map cells: each map's heaviest place, and the mean round it. None unless convex."""
    points = []
    for chance in maps:
        heavy = cv2.blur(chance, (3, 3), borderType=cv2.BORDER_CONSTANT)
        y, x = np.unravel_index(int(heavy.argmax()), heavy.shape)
        y0, x0 = max(int(y) - 2, 0), max(int(x) - 2, 0)
        near = chance[y0:int(y) + 3, x0:int(x) + 3].astype(np.float64)
        near = near / max(float(near.sum()), 1e-9)
        mean_x, mean_y = near.sum(0) @ np.arange(near.shape[1]), near.sum(1) @ np.arange(near.shape[0])
        points.append((x0 + mean_x, y0 + mean_y))
    return _clockwise(np.array(points))


def _clockwise(points: Quad) -> Quad | None:
    """The four points as a convex clockwise quad (image axes), or None where they are no such thing."""
    hull = cv2.convexHull(points.astype(np.float32), clockwise=False)  # OpenCV thinks of y upwards here
    if len(hull) != 4 or cv2.contourArea(hull) < 4.0:
        return None
    return np.asarray(hull[:, 0], dtype=np.float64)


def _patches(sight: Sight) -> list[Quad | None]:
    """A quad for each connected patch of area inside the outlines, largest first, six at most."""
    inner = ((sight.area > 0.5) & (sight.outline < 0.5)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inner, connectivity=4)
    order = sorted(range(1, count), key=lambda i: -int(stats[i, cv2.CC_STAT_AREA]))
    quads = []
    for label in order[:6]:
        if stats[label, cv2.CC_STAT_AREA] < SMALLEST * inner.size:
            break
        # the outlines are two cells wide and one of them is inside: grow by what was taken away, and half a cell more since
        # contours run through the cells' centres
        patch = cv2.dilate((labels == label).astype(np.uint8), np.ones((3, 3), np.uint8))
        contours, _ = cv2.findContours(patch, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        quad = _four_sides(max(contours, key=cv2.contourArea))
        quads.append(None if quad is None else _pushed_out(quad, 0.5))
    return quads


def _pushed_out(quad: Quad, distance: float) -> Quad:
    """Each corner moved along both of its sides, away from their other ends."""
    before, after = quad - np.roll(quad, 1, axis=0), quad - np.roll(quad, -1, axis=0)
    unit = [side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9) for side in (before, after)]
    return np.asarray(quad + distance * (unit[0] + unit[1]), dtype=np.float64)


def _four_sides(contour: Array) -> Quad | None:
    hull = cv2.convexHull(contour)
    length = cv2.arcLength(hull, True)
    for tolerance in (0.03, 0.045, 0.06):
        shape = cv2.approxPolyDP(hull, tolerance * length, True)
        if len(shape) == 4:
            return _clockwise(shape[:, 0].astype(np.float64))
    return _clockwise(cv2.boxPoints(cv2.minAreaRect(hull)).astype(np.float64))


def overlap(sight: Sight, quad: Quad) -> float:
    """How well the area map agrees with a quad, 0..1: least over greatest, summed over the quad and a margin round it."""
    cells = sight.to_cells(quad)
    inside = np.zeros(sight.area.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.round(cells * 16).astype(np.int32), 1, shift=4)
    near = cv2.dilate(inside, np.ones((9, 9), np.uint8)).astype(bool)
    both, either = np.minimum(sight.area, inside)[near].sum(), np.maximum(sight.area, inside)[near].sum()
    return float(both / max(float(either), 1e-6))


def cells_at_frame(sight: Sight, quad: Quad) -> int:
    """How many cells along one edge of the window, at most, say that the quad's document goes on outside.

    They belong to the quad's own patch of area, and are covered whole, or lie clearly outside the quad: a document whose edge
    is inside the frame has neither.
    """
    count, labels = cv2.connectedComponents((sight.area > 0.5).astype(np.uint8), connectivity=4)
    inside = np.zeros(sight.area.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.round(sight.to_cells(quad) * 16).astype(np.int32), 1, shift=4)
    votes = np.bincount(labels[(inside > 0) & (labels > 0)], minlength=count)
    if not votes.any():
        return 0
    beyond = cv2.dilate(inside, np.ones((3, 3), np.uint8)) == 0
    own = (labels == int(votes.argmax())) & ((sight.area > FULL) | beyond)
    return max(int(edge.sum()) for edge in (own[0], own[-1], own[:, 0], own[:, -1]))


def runs_on(sight: Sight, quad: Quad) -> float:
    """How surely the document goes on beyond one of the quad's sides to the frame, between the same two neighbours, 0..1.

    A cut card is often given a fourth side that is printed inside of it. Then the strip from there to the frame is covered
    all along, and what lies beside the strip is not; a sheet that the card lies on is covered beside it too, and from another
    card a gap divides it.
    """
    cells = sight.to_cells(quad)
    surest = 0.0
    for side in range(4):
        a, b = cells[side], cells[(side + 1) % 4]
        strip, beside = _beyond(sight, a, b, a - cells[(side + 3) % 4], b - cells[(side + 2) % 4])
        if len(strip) and beside.size:
            surest = max(surest, float(strip.min() - beside.mean()))
    return surest


ACROSS = np.linspace(0.1, 0.9, 9)
"""Where across the strip, as a share of the side, the area is looked up."""
BESIDE = np.array([-0.25, -0.17, -0.1, 1.1, 1.17, 1.25])
"""And where beside it."""
FARTHEST = 64
"""Cells; no map is longer."""


def _beyond(sight: Sight, a: Quad, b: Quad, out_a: Quad, out_b: Quad) -> tuple[Quad, Quad]:
    """Mean area in each row of cells of the strip beyond the side a-b, from one cell off it to the frame; and the area beside."""
    reach = np.arange(1, FARTHEST)[:, None, None]
    unit_a, unit_b = (out / max(float(np.linalg.norm(out)), 1e-9) for out in (out_a, out_b))
    ends_a, ends_b = a + reach * unit_a, b + reach * unit_b
    strip = ends_a + (ends_b - ends_a) * ACROSS[None, :, None]
    wide = ends_a + (ends_b - ends_a) * BESIDE[None, :, None]
    known = _inside(sight, strip)
    rows = known.mean(axis=1) > 0.5
    if not rows.any():
        return np.empty(0), np.empty(0)
    looked = np.where(known, _looked_up(sight, strip), np.nan)[rows]
    near = _inside(sight, wide)[rows]
    return np.nanmean(looked, axis=1), _looked_up(sight, wide)[rows][near]


def _inside(sight: Sight, points: Quad) -> NDArray[np.bool_]:
    height, width = sight.area.shape
    return np.asarray(((points >= -0.5) & (points <= (width - 0.5, height - 0.5))).all(axis=-1))


def _looked_up(sight: Sight, points: Quad) -> Quad:
    height, width = sight.area.shape
    x, y = (np.clip(np.round(points[..., k]), 0, end - 1).astype(int) for k, end in ((0, width), (1, height)))
    return np.asarray(sight.area[y, x], dtype=np.float64)
