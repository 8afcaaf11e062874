"""The codes on a rectified back: which they are by what they say, their size and place, and how hard they were to read.

Decoded is not authentic: the large QRs are encrypted, anybody can print a small one. No text is followed as a link.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import CodeRole, CodeStatus, Symbology
from pipeline.domain.identifiers import Malformed
from pipeline.domain.qr import ShortQr, SmallQr, large_side
from pipeline.networks.api import Image, Networks
from pipeline.networks.code_restorer import restore
from pipeline.stages.geometry import CARD_HEIGHT, CARD_WIDTH, PX_PER_MM
from pipeline.stages.qr_grid import find_finders, read_grid
from pipeline.stages.rectify import as_grey
from pipeline.stages.scan_codes import ALL, LEAST_CUT, Enhance, FoundCode, Look, cut_round, look, merged, near_steps, scaled

LARGE_MODULES = 80
"""A large QR has 97 modules a side (version 20), a small one 33 (version 4): the middle, in whole versions."""
LINEAR_DIGITS = 9
"""The Code 128 holds nine digits, likely the CIC (one public source)."""

WHOLE_LOOKS = (Look(), Look(scale=1.25, enhance=Enhance.SHARPEN))
"""Dearer looks at the whole card, in this order, while something that should be there is missing."""

NEAR_MARGIN = 0.25
"""Share of its size by which a place is looked at beyond its edges."""
GRIDS = ((33, (6.6, 8.0), frozenset({CodeRole.SMALL})),
         (97, (3.6, 4.4), frozenset({CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT})))
"""Modules of a QR's side, their likely sizes in card pixels, and its roles: 59 characters make version 4, 858 bytes version 20
(layouts); on a card of 20 px/mm the sizes stand for 11 to 13 mm and 17 to 21 mm (neither is published)."""
MOST_PLACES = 3
"""Places of one kind of QR that are read by their grid: the two that a card has, and a false one."""
RESTORED_SCALES, RESTORED_LOOKS = (1.0, 1.25), (Look(), Look(scale=2.0))
"""A place is restored as it is, then a little larger: modules of another width than the network saw most come nearer to it."""
RESTORED_PAD_PX = 40
"""Restoring costs by the pixel: no more than two millimetres round a place."""

Box = tuple[float, float, float, float]
PLACES: dict[CodeRole, tuple[Box, ...]] = {
    CodeRole.PDF417: ((0, 0, 60, 38),),
}
"""Where to look from nearer by, in mm: a wide prior, for no public text gives exact places."""

_SYMBOLOGY = {CodeRole.SMALL: Symbology.QR, CodeRole.LARGE_LEFT: Symbology.QR, CodeRole.LARGE_RIGHT: Symbology.QR,
              CodeRole.PDF417: Symbology.PDF417}
_LARGE = frozenset({CodeRole.LARGE_LEFT, CodeRole.LARGE_RIGHT})


@dataclass(frozen=True, slots=True)
class CardCode:
    """One code on the rectified card. `corners_card`: (4, 2) card pixels from the symbol's own top left, clockwise as it reads.

    `payload` is empty where it was seen but not decoded; `text` only where it is text. `px_per_module`: of the rectified
    card, for a QR whose version was read. `tries`: steps of the ladder up to its reading, 1 is the fast path.
    """

    symbology: Symbology
    role: CodeRole
    status: CodeStatus
    corners_card: NDArray[np.float64]
    text: str | None
    payload: bytes
    px_per_module: float | None
    tries: int

    @property
    def corners(self) -> NDArray[np.float64]:
        return self.corners_card

    @property
    def upside_down(self) -> bool | None:
        """Whether it reads upside down on this card; None for what was not decoded (its corners may be in any order)."""
        return None if self.status is CodeStatus.DETECTED else _upside_down(self.corners_card)


def read_codes(card: Image, networks: Networks, calibration: Calibration, *, deep: bool,
               known: tuple[CardCode, ...] = ()) -> tuple[CardCode, ...]:
    """Codes of a rectified card, (1080, 1712) grey or (1080, 1712, 3) BGR; upside down too (`CardCode.upside_down` tells).

    The fast path is one look at a reduced card. `deep` goes on while what was found says that more should be there, or while
    nothing was found: QRs by their grids, then dearer looks at the whole, and for a PDF417 at its likely place, the dearest
    after a network restored it. `known`: what the fast path already gave for this very card, to go on from. A damaged or foreign
    code is a result, not an error.
    """
    grey = as_grey(card)
    fast = Look(scale=calibration["codes.fast_width"] / CARD_WIDTH, enhance=Enhance.SHARPEN)
    codes = known or tuple(_judged(code, 1) for code in look(grey, fast, ALL, undecoded=True))
    return _settled(_climb(grey, codes, networks) if deep else codes)


def half_turned(codes: Iterable[CardCode]) -> tuple[CardCode, ...]:
    """The same codes on the card turned by 180 degrees. Roles do not change: they follow each code's own reading direction."""
    size = np.array([CARD_WIDTH - 1, CARD_HEIGHT - 1], dtype=np.float64)
    return tuple(CardCode(code.symbology, code.role, code.status, size - code.corners_card, code.text, code.payload,
                          code.px_per_module, code.tries) for code in codes)


def missing_roles(codes: Iterable[CardCode]) -> frozenset[CodeRole]:
    """What ought to be on a back with these codes and is not decoded yet (G/H: three QRs; E/F: a small QR and a PDF417).

    With nothing decoded it is all that there may be. A code that only shows is missing in its role.
    """
    codes = tuple(codes)
    read = {code.role for code in codes if code.status is not CodeStatus.DETECTED}
    shown = {code.role for code in codes if code.status is CodeStatus.DETECTED}
    expected: set[CodeRole] = set(shown & set(_SYMBOLOGY))
    if read & _LARGE or shown & _LARGE:
        expected |= {CodeRole.SMALL, *_LARGE}
    elif CodeRole.PDF417 in read | shown:
        expected |= {CodeRole.SMALL, CodeRole.PDF417}
    elif CodeRole.SMALL in read:
        expected |= set(_companions(codes))
    elif CodeRole.FOREIGN not in read:
        expected |= set(_SYMBOLOGY)
    return frozenset(expected - read)


def _companions(codes: tuple[CardCode, ...]) -> frozenset[CodeRole]:
    """What goes with a lone small QR: the PDF417 where it stands in the upper half (E, F), else the large QRs (G, H)."""
    small = next(code for code in codes if code.role is CodeRole.SMALL and code.status is not CodeStatus.DETECTED)
    y = float(small.corners_card[:, 1].mean())
    upper = y < CARD_HEIGHT / 2
    if small.upside_down:
        upper = not upper
    return frozenset({CodeRole.PDF417}) if upper else _LARGE


def _climb(grey: Image, codes: tuple[CardCode, ...], networks: Networks) -> tuple[CardCode, ...]:
    """Dearer looks, each counted, until nothing is missing or the ladder ends."""
    codes, tries = _by_grid(grey, codes, 1)
    for way in WHOLE_LOOKS:
        missing = missing_roles(codes) - _LARGE  # what their grids do not give no look at all the pixels does
        if not missing:
            return codes
        tries += 1
        kinds = sorted({_SYMBOLOGY[role] for role in missing})
        codes = _added(codes, look(grey, way, kinds, undecoded=True), tries)
    if CodeRole.SMALL not in missing_roles(codes):  # else hopeless: a PDF417's modules are half as wide
        for steps in (near_steps, functools.partial(_restored_steps, networks)):
            codes, tries = _at_places(grey, codes, tries, missing_roles(codes) & {CodeRole.PDF417}, steps)
    return codes


def _by_grid(grey: Image, codes: tuple[CardCode, ...], tries: int) -> tuple[tuple[CardCode, ...], int]:
    """`codes` with the QRs that are missing, read where they show or where their finder patterns are; and the count of tries."""
    for side, sizes, roles in GRIDS:
        for places in (_shown, functools.partial(_sought, side=side, sizes=sizes)):
            if not missing_roles(codes) & roles:
                break
            for corners in places(grey, codes, roles)[:MOST_PLACES]:
                tries += 1
                found = read_grid(grey, corners, side)
                codes = _added(codes, [found] if found else [], tries)
    return codes, tries


def _shown(_: Image, codes: tuple[CardCode, ...], roles: frozenset[CodeRole]) -> list[NDArray[np.float64]]:
    """Where codes of these roles showed and were not decoded."""
    return [code.corners_card for code in codes if code.role in roles and code.status is CodeStatus.DETECTED]


def _sought(grey: Image, codes: tuple[CardCode, ...], _: frozenset[CodeRole], *, side: int,
            sizes: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Where finder patterns stand as such a QR's do and nothing was decoded."""
    read = [code.corners_card.mean(axis=0) for code in codes if code.status is not CodeStatus.DETECTED]
    return [corners for corners in find_finders(grey, side, sizes)
            if all(np.abs(corners.mean(axis=0) - middle).max() > np.ptp(corners[:, 0]) / 2 for middle in read)]


Steps = Callable[[Image, NDArray[np.float64], tuple[Symbology, ...], float], Iterator[list[FoundCode]]]


def _at_places(grey: Image, codes: tuple[CardCode, ...], tries: int, roles: frozenset[CodeRole],
               steps: Steps) -> tuple[tuple[CardCode, ...], int]:
    """`codes` with what the steps find where each role shows or may stand, and the count of tries."""
    flipped = any(code.upside_down for code in codes)
    for role in sorted(roles):
        for box in _boxes(role, codes, flipped):
            if role not in missing_roles(codes):
                break
            for found in steps(grey, box, (_SYMBOLOGY[role],), NEAR_MARGIN):
                tries += 1
                codes = _added(codes, found, tries)
                if role not in missing_roles(codes):
                    break
    return codes, tries


def _restored_steps(networks: Networks, grey: Image, box: NDArray[np.float64], symbologies: tuple[Symbology, ...],
                    margin: float) -> Iterator[list[FoundCode]]:
    """Looks at one place after the network has restored it; as `near_steps`."""
    crop, corner = cut_round(grey, box, margin, RESTORED_PAD_PX)
    if min(crop.shape) < LEAST_CUT:
        return
    for scale in RESTORED_SCALES:
        clean = restore(scaled(crop, scale), networks)
        for way in RESTORED_LOOKS:
            found = look(clean, way, (*symbologies, Symbology.CODE128))
            yield [replace(code, corners=(code.corners + 0.5) / scale - 0.5 + corner) for code in found]


def _settled(codes: tuple[CardCode, ...]) -> tuple[CardCode, ...]:
    """Without what only showed in a role that was read elsewhere or showed before: a false sight, or the same code askew."""
    kept: list[CardCode] = []
    for code in sorted(codes, key=lambda code: code.status is CodeStatus.DETECTED):
        if code.status is not CodeStatus.DETECTED or all(code.role is not other.role for other in kept):
            kept.append(code)
    return tuple(kept)


def _boxes(role: CodeRole, codes: tuple[CardCode, ...], flipped: bool) -> list[NDArray[np.float64]]:
    """Places worth a nearer look, as corners in card pixels: where it showed (perhaps a part of it), and where priors put it."""
    shown = [code.corners_card for code in codes if code.role is role and code.status is CodeStatus.DETECTED]
    boxes = [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * PX_PER_MM for x0, y0, x1, y1 in PLACES[role]]
    size = np.array([CARD_WIDTH - 1, CARD_HEIGHT - 1], dtype=np.float64)
    return [*shown, *([size - box for box in boxes] if flipped else boxes)]


def _added(codes: tuple[CardCode, ...], found: list[FoundCode], tries: int) -> tuple[CardCode, ...]:
    """`codes` with what a further look found; what was known stays as it was, with its own count of tries."""
    plains = [_plain(code) for code in codes]
    by_place = {id(plain): code for plain, code in zip(plains, codes, strict=True)}
    return tuple(by_place.get(id(code)) or _judged(code, tries) for code in merged(plains, found))


def _plain(code: CardCode) -> FoundCode:
    return FoundCode(code.symbology, code.status is not CodeStatus.DETECTED, code.corners_card, code.text, code.payload, None)


def _judged(code: FoundCode, tries: int) -> CardCode:
    """Role and status from content, size and place."""
    role, status = _role(code)
    side = float(np.linalg.norm(np.roll(code.corners, -1, axis=0) - code.corners, axis=1).mean())
    px = side / code.modules if code.modules and code.decoded else None
    return CardCode(code.symbology, role, status, code.corners, code.text, code.payload, px, tries)


def _role(code: FoundCode) -> tuple[CodeRole, CodeStatus]:
    decoded = CodeStatus.DECODED if code.decoded else CodeStatus.DETECTED
    if code.symbology is Symbology.PDF417:
        return CodeRole.PDF417, decoded
    if code.symbology is Symbology.CODE128:
        digits = code.text is not None and len(code.text) == LINEAR_DIGITS and code.text.isascii() and code.text.isdigit()
        return CodeRole.LINEAR, CodeStatus.CONSISTENT if digits else decoded
    side = large_side(code.payload)
    if side is not None:
        return CodeRole.LARGE_LEFT if side == "left" else CodeRole.LARGE_RIGHT, CodeStatus.CONSISTENT
    if code.text is not None and _is_small(code.text):
        return CodeRole.SMALL, CodeStatus.CONSISTENT
    if _is_large(code):
        return _large_by_place(code), decoded
    return (CodeRole.FOREIGN if code.decoded else CodeRole.SMALL), decoded


def _is_small(text: str) -> bool:
    for grammar in (SmallQr, ShortQr):
        try:
            grammar.parse(text)
        except Malformed:
            continue
        return True
    return False


LARGE_MM = 16.0
"""An undecoded QR whose version is unknown counts as large from this side on: between 12 mm (small, unsourced) and 20 mm."""


def _is_large(code: FoundCode) -> bool:
    if code.modules is not None:
        return code.modules >= LARGE_MODULES
    return not code.decoded and float(np.ptp(code.corners, axis=0).max()) >= LARGE_MM * PX_PER_MM


def _large_by_place(code: FoundCode) -> CodeRole:
    left = float(code.corners[:, 0].mean()) < CARD_WIDTH / 2
    if _upside_down(code.corners):
        left = not left
    return CodeRole.LARGE_LEFT if left else CodeRole.LARGE_RIGHT


def _upside_down(corners: NDArray[np.float64]) -> bool:
    """Whether the symbol reads from right to left: of a linear code that is told, its top and bottom are not."""
    left, right = corners[[0, 3]].mean(axis=0), corners[[1, 2]].mean(axis=0)
    return bool(left[0] > right[0])
