"""The machine-readable zone's glyphs and the fonts of specimens."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from models.specimens import fonts, ocrb


def test_a_line_is_as_wide_as_its_pitches_and_its_digits_touch_both_edges() -> None:
    line = ocrb.draw_mrz_line("0" * 30, 27)
    assert line.shape == (27, round(30 * 27 * 2.54 / 2.69)) and line.dtype == np.uint8
    assert line[0].min() < 128 and line[-1].min() < 128 and line.max() == 255


def test_a_capital_is_lower_than_a_digit() -> None:
    rows = (ocrb.draw_mrz_line("E", 54) < 128).any(axis=1).nonzero()[0]
    assert 2 <= rows[0] <= 6 and rows[-1] == 53


@pytest.mark.parametrize(("one", "other"), list(combinations("<0OQDB8S5Z2I1LGC6", 2)))
def test_no_two_confusable_glyphs_are_alike(one: str, other: str) -> None:
    a, b = (ocrb.draw_mrz_line(glyph, 40).astype(int) < 128 for glyph in (one, other))
    assert (a & b).sum() / (a | b).sum() < 0.87


def test_every_glyph_stays_within_its_pitch() -> None:
    for glyph in ocrb.ALPHABET:
        line = ocrb.draw_mrz_line(glyph * 2, 40)
        middle = line.shape[1] // 2
        assert (line[:, middle - 1:middle + 1] == 255).all(), glyph


@pytest.mark.parametrize("text", ["", "a", "Ñ", "A B"])
def test_other_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="machine-readable"):
        ocrb.draw_mrz_line(text, 27)


def test_nine_fonts_are_there_and_draw_spanish() -> None:
    assert len(fonts.sans_fonts()) == 9
    for path in fonts.sans_fonts():
        font = fonts.load(path, 60)
        masks = [bytes(font.getmask(letter)) for letter in "NÑAÁ"]
        assert len(set(masks)) == 4
