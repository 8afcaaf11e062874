"""Where things stand on each model's sides, read from `layouts/*.toml`. Millimetres from the card's top left corner.

No public text gives exact places; these lie within the crop boxes that are known (docs/accuracy.md says what that means).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import BoxMm

_FOLDER = Path(__file__).parent / "layouts"
_FILES = {CardModel.A: "abc", CardModel.B: "abc", CardModel.C: "abc", CardModel.D: "de", CardModel.E: "de", CardModel.F: "f",
          CardModel.G: "gh", CardModel.H: "gh"}


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set. Height of its capitals in mm; weight 0 regular, 1 half-bold, 2 bold; ink `value`, `label`, `heading`."""

    cap_mm: float
    weight: int
    ink: str


STYLES = {
    "country": Style(2.5, 2, "heading"), "heading": Style(2.1, 2, "heading"), "subheading": Style(1.65, 1, "heading"),
    "small": Style(1.35, 1, "heading"), "tiny": Style(0.95, 0, "label"), "label": Style(1.15, 1, "label"),
    "value": Style(2.0, 1, "value"), "address": Style(1.75, 0, "value"), "code": Style(1.75, 1, "value"),
    "strong": Style(2.4, 2, "value"), "ocr": Style(2.2, 1, "value"),
    "mark": Style(1.7, 2, "mark"), "mark_back": Style(1.0, 2, "mark_red"),
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One text's place: left (or middle) end of its base line. `text` None: the value of the field `name`."""

    name: str
    at: tuple[float, float]
    style: Style
    text: str | None = None
    width: float | None = None
    align: str = "left"
    vertical: bool = False
    follows: float | None = None
    """Instead of `at`'s x: this far right of the text before it, on the same line."""


@dataclass(frozen=True, slots=True)
class SideLayout:
    """One side. `places`: boxes and anchors of what is no text, by their name in the file."""

    texts: tuple[Slot, ...]
    places: dict[str, Any]

    def box(self, name: str) -> BoxMm | None:
        values = self.places.get(name)
        return None if values is None else (values[0], values[1], values[2], values[3])


@lru_cache(maxsize=len(_FILES))
def load_layout(model: CardModel) -> tuple[SideLayout, SideLayout]:
    """Front and back. Raises `ValueError` for I and J, whose layout is not published."""
    if model not in _FILES:
        raise ValueError(f"no layout of model {model} is public, so no specimen of it is drawn")
    data = tomllib.loads((_FOLDER / f"{_FILES[model]}.toml").read_text(encoding="utf-8"))
    return _side(data["front"]), _side(data["back"])


def _side(data: dict[str, Any]) -> SideLayout:
    texts = tuple(
        Slot(item["name"], (item["at"][0], item["at"][1]), STYLES[item["style"]], item.get("text"), item.get("width"),
             item.get("align", "left"), item.get("vertical", False), item.get("follows"))
        for item in data["texts"]
    )
    return SideLayout(texts, {name: value for name, value in data.items() if name != "texts"})
