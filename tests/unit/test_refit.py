"""Re-fitting: what all cards share is found again, whatever each card's own pose, noise and strays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.registry import load_templates, read_templates, template_text
from pipeline.domain.evidence import BoxMm, TemplateEvidence
from pipeline.domain.template import Certainty, Template
from pipeline.stages.refit import LEAST_CARDS, refit
from pipeline.stages.register import Fit, fit_template
from tests.unit.test_register import anchors_of

MOVES = {"label.curp": (1.5, -2.0), "curp": (0.8, 0.4), "photo": (-2.5, 1.0), "section": (2.8, -2.8)}


def template_of(name: str) -> Template:
    return next(one for one in load_templates() if one.name == name)


def cards(template: Template, count: int, stray: bool = False) -> list[TemplateEvidence]:
    """Cards whose print lies as MOVES says, each in a small pose of its own, every place 0.2 mm off at random."""
    rng = np.random.default_rng(5)
    seen = []
    for index in range(count):
        pose = Fit(template, (float(rng.normal(0, 0.3)), float(rng.normal(0, 0.3))), 1 + float(rng.normal(0, 0.002)),
                   float(rng.normal(0, 0.002)), None, 0, (), (), 0.0)
        moves = {element.name: tuple(np.array(MOVES.get(element.name, (0, 0))) + rng.normal(0, 0.2, 2)) for element in template.elements}
        if stray and index == 0:
            moves["curp"] = (2.0, -9.0)
        found = [replace(anchor, box=pose.forth(anchor.box)) for anchor in anchors_of(template, moves)]
        fit = fit_template(found, template)
        seen.append(TemplateEvidence(template.models, fit.anchors, fit.astray, fit.shift, fit.scale, fit.turn, fit.found))
    return seen


def middle(box: BoxMm) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("stray", [False, True])
def test_what_all_cards_share_is_found_again(stray: bool) -> None:
    template = template_of("gh_front")
    fitted, moves = refit(template, cards(template, 9, stray))
    for before, after, moved in zip(template.elements, fitted.elements, moves, strict=True):
        want = np.array(middle(before.box)) + MOVES.get(before.name, (0.0, 0.0))
        assert np.array(middle(after.box)) == pytest.approx(want, abs=0.45), before.name
        assert (moved.cards, moved.fitted, after.certainty) == (9, True, Certainty.FITTED)
        assert moved.spread < 0.6
    assert (fitted.models, fitted.side) == (template.models, template.side)


def test_too_few_sightings_move_nothing() -> None:
    template = template_of("gh_front")
    assert refit(template, ())[0] == template
    fitted, moves = refit(template, cards(template, LEAST_CARDS - 1))
    assert fitted == template
    assert {one.cards for one in moves} == {LEAST_CARDS - 1} and not any(one.fitted for one in moves)


def test_a_fitted_template_leaves_a_smaller_residual() -> None:
    template = template_of("e_front")
    seen = cards(template, 9)
    fitted, _ = refit(template, seen)
    card = anchors_of(template, MOVES)
    before, after = fit_template(card, template).residual_mm, fit_template(card, fitted).residual_mm
    assert before is not None and after is not None and after < 0.3 < 0.5 < before


def test_back_undoes_forth() -> None:
    template = template_of("e_back")
    pose = Fit(template, (1.2, -0.7), 1.01, 0.02, None, 0, (), (), 0.0)
    for element in template.elements:
        assert pose.back(pose.forth(element.box)) == pytest.approx(element.box)


def test_a_template_survives_its_file(tmp_path: Path) -> None:
    for template in load_templates():
        (tmp_path / f"{template.name}.toml").write_text(template_text(template), encoding="utf-8")
    assert read_templates(tmp_path) == load_templates()
