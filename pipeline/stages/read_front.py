"""The front's printed fields: every line is read, labels are recognised, and values are taken by their labels or their shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import BoxMm, FieldReading
from pipeline.domain.mrz import mrz_name
from pipeline.networks.api import Image, Networks
from pipeline.networks.ppocr import crop_for_ppocr, read_ppocr
from pipeline.stages import field_values as values
from pipeline.stages.find_lines import find_lines
from pipeline.stages.geometry import PX_PER_MM
from pipeline.stages.read_lines import Piece, ReadLine, pieces_of, read_lines
from pipeline.stages.rectify import as_grey

SOURCE = "front"
ROW_MM = 1.3
"""How far base lines of one row may lie apart: elements move by a few tenths between cards, and corners are not exact."""
BESIDE_MM, BELOW_MM, ASIDE_MM = 22.0, 6.5, 9.0
"""How far a value may stand right of its label, under it, and how far to the side when under it."""
FIRST_YEAR_MM = 4.0
"""How far right of its label's start the first of `YYYY - YYYY` may begin; the second begins 8 mm further."""
ROW_GAP = 3.5
"""Gap of two pieces of one value, in heights: `YYYY - YYYY` with its dash unread."""
LIFE_YEARS = 10
"""A credential is valid for ten years (domain: VIGENCIA is the year of issue and ten)."""
TORN_GAP_MM, TORN_CONFIDENCE = 14.0, 0.5
"""A gap in a line of a block that glare may have left; the line's reading is then a doubt."""
BLOCK_MM, BLOCK_PITCH_MM, BLOCK_INDENT_MM = 16.0, 5.2, 6.0
"""Three-line blocks: their height, the distance of two lines, and how far a line may start beside its label."""
LABEL_HEIGHT = 0.7
"""Height over that of a block's first line below which a line is the next label, however it was read: labels are half as high."""
AGAIN = {"paternal_surname": values.words, "maternal_surname": values.words, "given_names": values.words,
         "elector_key": values.elector_key}
"""Fields that are worth a second reading."""
KEYS = {"curp": values.curp, "elector_key": values.elector_key}
CURP_BIRTH, KEY_BIRTH = slice(4, 10), slice(6, 12)
"""Where a CURP and a clave de elector hold the day of birth, as YYMMDD."""
ONE_LINE_MM = 3.2
"""A taller value stands on two lines, which cannot be read as one."""
DOUBT, SURE = 0.8, 0.9
"""The first reading's confidence below which, and the second's above which, the second counts. Of 120 claves de elector drawn
in two typefaces that the reader knows none of the right ones lies below the first; of 420 in seven that it does not know (serif,
italic, thin), 82 of 103 wrong ones and 46 of 157 right ones do (the others were not taken for a clave)."""
SPECK_MM = 0.8
"""How far before its label a line must start for its first single sign to be no part of it."""
COLUMN_MM = (22.0, 34.0)
"""Where the text column starts, with play (layouts: x .29-.31 of 85.6 mm), for blocks whose label was not read."""
NAMES_MM = (10.0, 28.0)
"""Between which heights the names stand (layouts: y .20-.46 of 54 mm), with the 3 mm that templates may be off."""


@dataclass(frozen=True, slots=True)
class FrontText:
    """All that was read. `readings`: by field name, best first. `labels`: labels and headings in their canonical wording.
    `places`: the same with the field that each names (None: a heading) and where it stands."""

    lines: tuple[ReadLine, ...]
    readings: Mapping[str, tuple[FieldReading, ...]]
    labels: frozenset[str]
    places: tuple[tuple[str, str | None, BoxMm], ...] = ()


@dataclass
class Board:
    """The pieces of a front while values are taken from it; each is used once."""

    labels: list[Piece]
    free: list[Piece]
    readings: dict[str, list[FieldReading]] = field(default_factory=dict)

    def take(self, name: str, value: str, pieces: Sequence[Piece], at_most: float = 1.0, sure: float | None = None) -> None:
        """Notes a reading, no surer than `at_most`, and withdraws its pieces. sure: its confidence; None: that of the pieces."""
        box = _hull(piece.box_mm for piece in pieces)
        confidence = min(at_most, *(piece.confidence for piece in pieces)) if sure is None else sure
        self.readings.setdefault(name, []).append(FieldReading(value, confidence, SOURCE, box))
        for piece in pieces:
            if piece in self.free:
                self.free.remove(piece)

    def followers(self, label: Piece) -> list[Piece]:
        """Pieces that stand where a label's value may stand, nearest first; none beyond another label in its row."""
        row = [other.x0 for other in self.labels if other.x0 > label.x0 and abs(other.base - label.base) < ROW_MM]
        end = min(row, default=float("inf"))
        near = [piece for piece in self.free if piece.x0 < end and _distance(label, piece) < float("inf")]
        return sorted(near, key=lambda piece: _distance(label, piece))

    def label(self, name: str) -> Piece | None:
        """The first label of a field."""
        return next((piece for piece in self.labels if piece.label is not None and piece.label.field == name), None)


def read_front(card: Image, networks: Networks, calibration: Calibration) -> FrontText:
    """Reads an upright rectified front, (1080, 1712[, 3]) uint8 BGR or grey."""
    grey = as_grey(card)
    lines = read_lines(grey, find_lines(grey), networks)
    text = interpret(lines, calibration["text.line_least"])
    again = _doubts_again(grey, text.readings, networks) | _keys_again(grey, text.readings, networks)
    return replace(text, readings={**text.readings, **again}) if again else text


def _doubts_again(grey: Image, readings: Mapping[str, tuple[FieldReading, ...]],
                  networks: Networks) -> dict[str, tuple[FieldReading, ...]]:
    """Names and claves of which the field reader was unsure (a typeface that it does not know), where the general recogniser is
    surer of another reading. What differs in accents alone stays: the field reader knows Ñ."""
    doubtful = [(name, parse, found[0]) for name, parse in AGAIN.items()
                if (found := readings.get(name)) and found[0].confidence < DOUBT
                and found[0].box_mm is not None and found[0].box_mm[3] - found[0].box_mm[1] < ONE_LINE_MM]
    crops = [crop_for_ppocr(grey, _pixels(one.box_mm)) for _, _, one in doubtful if one.box_mm is not None]
    better: dict[str, tuple[FieldReading, ...]] = {}
    for (name, parse, first), other in zip(doubtful, read_ppocr(crops, networks) if crops else (), strict=True):
        value = parse(other.text)
        if value is not None and other.confidence > SURE and mrz_name(value) != mrz_name(first.value):
            better[name] = (replace(first, value=value, confidence=other.confidence),)
    return better


def _pixels(box: BoxMm) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return x0 * PX_PER_MM, y0 * PX_PER_MM, x1 * PX_PER_MM, y1 * PX_PER_MM


def _keys_again(grey: Image, readings: Mapping[str, tuple[FieldReading, ...]],
                networks: Networks) -> dict[str, tuple[FieldReading, ...]]:
    """The general recogniser's reading of a CURP whose check digit does not hold, and of a clave de elector that names another
    day of birth than the rest of the front: taken where it is right. Where it reads the very same, that is what is printed: both
    would have to slip alike."""
    days = _days_of_birth(readings)
    right: dict[str, Callable[[str], bool]] = {
        "curp": values.is_curp, "elector_key": lambda key: not days or key[KEY_BIRTH] in days}
    suspects = [(name, found[0]) for name, holds in right.items()
                if (found := readings.get(name)) and found[0].box_mm is not None and not holds(found[0].value)]
    crops = [crop_for_ppocr(grey, _pixels(first.box_mm)) for _, first in suspects if first.box_mm is not None]
    better: dict[str, tuple[FieldReading, ...]] = {}
    for (name, first), other in zip(suspects, read_ppocr(crops, networks) if crops else (), strict=True):
        value = KEYS[name](other.text)
        if value is not None and right[name](value):
            better[name] = (replace(first, value=value, confidence=other.confidence),)
        elif value == first.value:
            better[name] = (replace(first, confidence=1 - (1 - first.confidence) * (1 - other.confidence)),)
    return better


def _days_of_birth(readings: Mapping[str, tuple[FieldReading, ...]]) -> set[str]:
    """YYMMDD, as a CURP whose check digit holds and the birth date name it."""
    curp, born = readings.get("curp"), readings.get("birth_date")
    days = {curp[0].value[CURP_BIRTH]} if curp and values.is_curp(curp[0].value) else set()
    return days | ({born[0].value.replace("-", "")[2:]} if born else set())


def interpret(lines: Sequence[ReadLine], least: float) -> FrontText:
    """From lines to fields. Lines whose confidence is below `least` serve as labels only."""
    pieces = [piece for line in lines for piece in pieces_of(line)]
    labels = [piece for piece in pieces if piece.label is not None]
    board = Board(labels, [piece for piece in pieces if piece.label is None and piece.confidence >= least])
    _take_keys(board)
    _take_dates_and_years(board)
    _take_labelled(board)
    _take_names(board)
    _take_address(board)
    places = tuple((piece.label.text, piece.label.field, piece.box_mm) for piece in labels if piece.label is not None)
    readings = {name: tuple(found) for name, found in board.readings.items()}
    return FrontText(tuple(lines), readings, frozenset(text for text, _, _ in places), places)


def _take_keys(board: Board) -> None:
    """CURP and clave de elector by their shapes: 18 places each, of different types at six of them. The one nearest to its
    label where a field is read twice."""
    for name, parse in KEYS.items():
        found = [(piece, value) for piece in board.free if (value := parse(piece.text)) is not None]
        label = board.label(name)
        found.sort(key=lambda pair: _distance(label, pair[0]) if label is not None else -pair[0].confidence)
        for piece, value in found[:1]:
            # its places have types, and `parse` put each look-alike right; a CURP's 17th place has none before 2013's births
            typed = name != "curp" or value[CURP_BIRTH][:2] > values.LAST_AMBIGUOUS_YEAR
            board.take(name, value, [piece], sure=piece.typed if typed else None)
    for name in KEYS:  # not of the right shape: kept as read beside its label, so that the doubt is seen
        label = board.label(name)
        if label is not None and name not in board.readings:
            near = [piece for piece in board.followers(label) if 16 <= len(values.compact(piece.text)) <= 20]
            if near:
                board.take(name, values.compact(near[0].text), near[:1])


def _take_dates_and_years(board: Board) -> None:
    """Birth date by its shape; `YYYY - YYYY` and `YYYY NN` beside their labels, in one piece or in two."""
    for group in [*([piece] for piece in board.free), *_torn_pairs(board.free)]:
        iso = values.day("".join(piece.text for piece in group))
        if iso is not None and "birth_date" not in board.readings:
            board.take("birth_date", iso, group)
    _take_validity(board)
    label = board.label("registration")
    for group in _groups(label, board):
        found = values.registration("".join(piece.text for piece in group))
        if found is not None:
            board.take("registration_year", found[0], group)
            board.take("issue_number", found[1], group)
            return
    for piece in board.followers(label) if label is not None else ():
        alone = values.year(piece.text)
        if alone is not None:
            board.take("registration_year", alone, [piece])
            return


def _torn_pairs(free: Sequence[Piece]) -> list[list[Piece]]:
    """Two pieces of one row with hardly a gap: one value that was found as two."""
    return [[piece, other] for piece in free for other in free
            if abs(other.base - piece.base) < ROW_MM and 0 <= other.x0 - piece.box_mm[2] < piece.height / 2]


def _take_validity(board: Board) -> None:
    """One year, or the first and the last of a card's life."""
    label = board.label("expiry")
    groups = [*_groups(label, board)] if label is not None else [*_year_pairs(board)]
    best: tuple[tuple[str, ...], list[Piece]] = ((), [])
    for group in groups:
        found = values.years(" ".join(piece.text for piece in group))
        if len(found) > len(best[0]) and list(found) == sorted(found) and len(found) <= 2:
            best = found, group
    if label is None and not best[0]:
        _take_years_of_a_row(board)
    if len(best[0]) == 2:
        board.take("issue_year", best[0][0], best[1])
        board.take("expiry_year", best[0][1], best[1])
    elif len(best[0]) == 1 and label is not None:
        # under the label's start stands the first of two years: the second one was not read, and this is not the expiry
        first_of_two = (best[1][0].base - label.base > ROW_MM and best[1][0].x0 - label.x0 < FIRST_YEAR_MM
                        and board.label("issue_year") is None)
        board.take("issue_year" if first_of_two else "expiry_year", best[0][0], best[1])


def _year_pairs(board: Board) -> Iterable[list[Piece]]:
    """Where VIGENCIA itself was not read: `YYYY - YYYY` with a dash, or two years `LIFE_YEARS` apart side by side."""
    for piece in board.free:
        if "-" in piece.text:
            yield [piece]
        for other in board.free:
            beside = abs(other.base - piece.base) < ROW_MM and 0 < other.x0 - piece.box_mm[2] < ROW_GAP * piece.height
            if beside and (first := values.year(piece.text)) and (last := values.year(other.text)) \
                    and int(last) - int(first) == LIFE_YEARS:
                yield [piece, other]


def _take_years_of_a_row(board: Board) -> None:
    """Where no label was read: the last two years of a row, `LIFE_YEARS` apart, each beside a label of its own. Never sure: a
    year of registration may stand as far from the year of issue."""
    years = [(piece, int(year)) for piece in board.free if (year := values.year(piece.text)) is not None]
    for last, expiry in years:
        row = sorted((piece.x0, issue, piece) for piece, issue in years if abs(piece.base - last.base) < ROW_MM)
        if row[-1][2] is last and len(row) > 1 and expiry - row[-2][1] == LIFE_YEARS:
            board.take("issue_year", str(row[-2][1]), [row[-2][2]], TORN_CONFIDENCE)
            board.take("expiry_year", str(expiry), [last], TORN_CONFIDENCE)
            return


def _take_labelled(board: Board) -> None:
    """Fields of one value each: all pairs of a label and a piece that could be its value, the nearest pairs first."""
    pairs = []
    for label in board.labels:
        name = label.label.field if label.label is not None else None
        if name is not None and name in values.PARSERS and name not in board.readings:
            pairs += [(_distance(label, piece), name, value, piece) for piece in board.followers(label)
                      if (value := values.PARSERS[name](piece.text)) is not None]
    for _, name, value, piece in sorted(pairs, key=lambda pair: pair[0]):
        if name not in board.readings and piece in board.free:
            board.take(name, value, [piece])


def _take_names(board: Board) -> None:
    """Paternal, maternal, given: the lines under NOMBRE, or the first block of the text column."""
    label, below = board.label("names"), board.label("address")
    if label is not None:
        block = _block(label, board.free, below)
    elif below is not None:
        block = _column(board.free, below.base - BLOCK_MM, below.base - 1.0)[-3:]
    else:
        block = _names_by_place(board.free)
    left = label.x0 if label is not None else None
    sure = 1.0 if label is not None or below is not None else TORN_CONFIDENCE
    named = [(piece, text) for piece in block if (text := values.words(_without_speck(piece, left))) is not None]
    if len(named) >= 3:
        board.take("paternal_surname", named[0][1], [named[0][0]], sure)
        board.take("maternal_surname", named[1][1], [named[1][0]], sure)
        board.take("given_names", " ".join(text for _, text in named[2:]), [piece for piece, _ in named[2:]], sure)
    elif len(named) == 2:  # one surname, or a line that was not read: a doubt either way
        board.take("paternal_surname", named[0][1], [named[0][0]], TORN_CONFIDENCE)
        board.take("given_names", named[1][1], [named[1][0]], TORN_CONFIDENCE)


def _names_by_place(free: Sequence[Piece]) -> list[Piece]:
    """Where neither NOMBRE nor DOMICILIO was read (they are half as high as the values): the first lines of nothing but letters
    in the text column, close under one another, where every model has its names."""
    block: list[Piece] = []
    for piece in _column(free, *NAMES_MM):
        other = bool(block) and (piece.base - block[-1].base >= BLOCK_PITCH_MM or not 0.7 < piece.height / block[0].height < 1.4)
        if values.words(piece.text) is None or other:
            if len(block) >= 3:
                break
            block = []
        else:
            block.append(piece)
    return block if len(block) >= 3 else []


def _without_speck(piece: Piece, left: float | None) -> str:
    """A line's text without a single sign before the column: an edge of the portrait that was read along with it."""
    first, blank, rest = piece.text.partition(" ")
    before = left is not None and left - piece.x0 > SPECK_MM
    return rest if before and blank and len(first) == 1 else piece.text


def _take_address(board: Board) -> None:
    """Up to three lines under DOMICILIO, above the keys."""
    label = board.label("address")
    if label is None:
        return
    keys = [piece for piece in (board.label("elector_key"), board.label("curp"), board.label("folio")) if piece is not None]
    below = min((piece for piece in keys if piece.base > label.base), key=lambda piece: piece.base, default=None)
    block = _block(label, board.free, below)[:3]
    if block:
        board.take("address", " ".join(values.address_line(piece.text) for piece in block), block)


def _block(label: Piece, free: Sequence[Piece], below: Piece | None) -> list[Piece]:
    """The lines under a label, one under the other, down to the next label; pieces of one row are joined."""
    bottom = min(label.base + BLOCK_MM, below.base - 0.8 if below is not None and below.base > label.base else 1e9)
    inside = [piece for piece in free if label.base + 0.5 < piece.base < bottom
              and (_starts_under(piece, label) or _continues(piece, free, label))]
    rows: list[list[Piece]] = []
    for piece in sorted(inside, key=lambda piece: piece.base):
        if rows and abs(piece.base - rows[-1][0].base) < ROW_MM:
            rows[-1].append(piece)
        elif not rows or piece.base - rows[-1][0].base < BLOCK_PITCH_MM:
            rows.append([piece])
    heights = [max(piece.height for piece in row) for row in rows]
    end = next((place for place, height in enumerate(heights) if height < LABEL_HEIGHT * heights[0]), len(rows))
    return [_joined(sorted(row, key=lambda piece: piece.x0)) for row in rows[:end]]


def _starts_under(piece: Piece, label: Piece) -> bool:
    """Whether a piece starts where a block's line may; specks of the photograph end before the label begins."""
    return abs(piece.x0 - label.x0) < BLOCK_INDENT_MM and piece.box_mm[2] > label.x0 + 0.5


def _continues(piece: Piece, free: Sequence[Piece], label: Piece) -> bool:
    """Whether a piece goes on in the row of one that starts under the label: a wide blank, or glare, cut the line in two."""
    return any(abs(other.base - piece.base) < ROW_MM and _starts_under(other, label)
               and 0 < piece.x0 - other.box_mm[2] < TORN_GAP_MM and 0.75 < piece.height / other.height < 1.33
               for other in free)


def _joined(row: Sequence[Piece]) -> Piece:
    text, confidence = " ".join(piece.text for piece in row), min(piece.confidence for piece in row)
    if any(after.x0 - before.box_mm[2] > 2 * before.height for before, after in pairwise(row)):
        confidence = min(confidence, TORN_CONFIDENCE)
    return Piece(text, confidence, _hull(piece.box_mm for piece in row))


def _column(free: Sequence[Piece], top: float, bottom: float) -> list[Piece]:
    """Pieces that start where the text column starts, top to bottom."""
    inside = [piece for piece in free if COLUMN_MM[0] < piece.x0 < COLUMN_MM[1] and top < piece.base < bottom]
    return sorted(inside, key=lambda piece: piece.base)


def _groups(label: Piece | None, board: Board) -> Iterable[list[Piece]]:
    """Pieces that may hold a label's value: each follower alone, and with what stands next to it in its row."""
    for piece in board.followers(label) if label is not None else ():
        row = sorted((other for other in board.free if abs(other.base - piece.base) < ROW_MM and other.x0 >= piece.x0),
                     key=lambda other: other.x0)
        close = [piece]
        for other in row[1:3]:
            if other.x0 - close[-1].box_mm[2] < ROW_GAP * piece.height:
                close.append(other)
        for count in range(len(close), 0, -1):
            yield close[:count]


def _distance(label: Piece, piece: Piece) -> float:
    """How far a value stands from where its label sends the eye; infinite where the two do not belong together.

    Beside: the gap between them; below: the drop, plus what it is shifted aside. Millimetres.
    """
    gap, drop = piece.x0 - label.box_mm[2], piece.base - label.base
    if abs(drop) < max(ROW_MM, 0.6 * piece.height) and -1.5 < gap < BESIDE_MM:
        return max(gap, 0.0) + 2 * abs(drop)
    aside = max(label.x0 - piece.x0, piece.x0 - label.box_mm[2], 0.0)
    if 0.8 < drop < BELOW_MM and aside < ASIDE_MM:
        return drop + 1.5 * aside
    return float("inf")


def _hull(boxes: Iterable[BoxMm]) -> BoxMm:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
