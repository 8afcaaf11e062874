"""Layouts made uncertain: what public text leaves open must not be learnt from our drawings."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from models.specimens.layout import SideLayout, Slot, Style

REACH_MM = 3.0
"""How far a group of print may stand from where we draw it (the play that templates allow)."""
_GROUPS = {"paternal_surname": "name", "maternal_surname": "name", "given_names": "name", "address_1": "address",
           "address_2": "address", "address_3": "address", "issue_number": "registration_year"}
_CODES = ("linear", "pdf417", "small_qr", "large_left", "large_right")


def vary(layout: SideLayout, rng: random.Random, keep: Collection[str]) -> SideLayout:
    """Every group (a field with its label, a picture, a code) moved and scaled, some left out. `keep`: names never dropped;
    `institute` keeps the headings that name it."""
    reach = REACH_MM * rng.random() ** 0.7
    lost = rng.choice((0.0, 0.04, 0.12, 0.25))
    swell = rng.uniform(0.85, 1.18)
    moves: dict[str, tuple[float, float]] = {}
    gone: dict[str, bool] = {}

    def group(name: str, kept: bool) -> tuple[float, float] | None:
        if name not in moves:
            moves[name] = (rng.uniform(-reach, reach), rng.uniform(-reach, reach))
            gone[name] = rng.random() < lost
        return None if gone[name] and not kept else moves[name]

    texts = []
    for index, slot in enumerate(layout.texts):
        key = slot.name.removeprefix("label.")
        name = f"heading {index}" if key == "heading" else _GROUPS.get(key, key)
        names_institute = slot.text is not None and "{institute}" in slot.text
        move = group(name, names_institute and "institute" in keep)
        if move is not None:
            texts.append(_moved(slot, move, swell * rng.uniform(0.94, 1.06)))
    places: dict[str, Any] = {}
    for name, place in layout.places.items():
        move = group(name, name in keep)
        if move is not None:
            places[name] = _place(name, place, move, rng)
    return SideLayout(tuple(texts), places)


def _moved(slot: Slot, move: tuple[float, float], swell: float) -> Slot:
    style = Style(slot.style.cap_mm * swell, slot.style.weight, slot.style.ink)
    width = None if slot.width is None else slot.width * max(1.0, swell)
    return replace(slot, at=(slot.at[0] + move[0], slot.at[1] + move[1]), style=style, width=width)


def _place(name: str, place: Any, move: tuple[float, float], rng: random.Random) -> Any:
    if isinstance(place, dict):
        grown = rng.uniform(0.82, 1.2) if name in _CODES else rng.uniform(0.94, 1.04)
        return {key: [place["at"][0] + move[0], place["at"][1] + move[1]] if key == "at" else value * grown
                for key, value in place.items()}
    if place and isinstance(place[0], list):
        return [[*_box(box[:4], move, rng), *box[4:]] for box in place]
    return _box(place, move, rng)


def _box(box: list[float], move: tuple[float, float], rng: random.Random) -> list[float]:
    """Moved and scaled about its middle, on the card still."""
    x, y = (box[0] + box[2]) / 2 + move[0], (box[1] + box[3]) / 2 + move[1]
    grown = rng.uniform(0.86, 1.16)
    half_w, half_h = (box[2] - box[0]) / 2 * grown, (box[3] - box[1]) / 2 * grown * rng.uniform(0.93, 1.07)
    return [max(0.5, x - half_w), max(0.5, y - half_h), min(85.0, x + half_w), min(53.4, y + half_h)]
