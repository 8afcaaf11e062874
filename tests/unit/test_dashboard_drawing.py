"""The picture of the dashboard: every panel, each where it belongs, and one that shows nothing says so."""

from __future__ import annotations

import itertools
import json
import shutil
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.dashboard import DASHBOARD, DRAWN, asked, drawing, scraping

SVG = "{http://www.w3.org/2000/svg}"
MAY_BE_EMPTY = {"Activations by step", "Identity providers", "Items that a server of networks runs together", "Erasures"}
"""No identity provider, no server of networks and no erasure takes part in the load."""


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])


def panel(kind: str, series: dict[str, list[tuple[float, float]]], **at: int) -> dict[str, Any]:
    return {"title": "Waits & <more>", "type": kind, "at": {"x": 0, "y": 0, "w": 6, "h": 4} | at, "series": series, "unit": "s"}


@pytest.mark.parametrize(("kind", "series", "shown"), [
    ("stat", {"oldest": [(0.0, 1.0), (2.0, 12.5)]}, "12.5 s"),
    ("stat", {"event": [(0.0, 3.0)], "code": [(0.0, 7.0)]}, "3 s · 7 s"),
    ("stat", {}, "no data in this run"),
    ("stat", {"oldest": []}, "no data in this run"),
    ("timeseries", {"p95": []}, "no data in this run"),
    ("timeseries", {"p95 <x>": [(0.0, 1.0), (2.0, 4.0)]}, "p95 <x>"),
])
def test_a_panel_shows_its_value_or_that_there_is_none(kind: str, series: dict[str, list[tuple[float, float]]], shown: str) -> None:
    drawn = drawing([panel(kind, series)])
    assert drawn == drawing([panel(kind, series)])
    texts = [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]  # noqa: S314 (our own drawing)
    assert shown in texts
    assert "Waits & <more>" in texts


def test_what_stands_lowest_is_inside_the_picture() -> None:
    root = ElementTree.fromstring(drawing([panel("stat", {}), panel("stat", {}, x=18, y=30)]))  # noqa: S314 (our own drawing)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", 0)) + float(box.attrib["width"]) <= width
        assert float(box.get("y", 0)) + float(box.attrib["height"]) <= height


def test_the_picture_in_docs_has_the_dashboards_panels_and_none_is_empty_without_reason() -> None:
    texts = [text.text for text in ElementTree.parse(DRAWN).getroot().iter(f"{SVG}text")]  # noqa: S314 (our own drawing)
    titles = [one["title"] for one in panels() if one["type"] != "row"]
    assert [title for title in titles if title not in texts] == []
    empty = {title for title, after in itertools.pairwise(texts) if after == "no data in this run"}
    assert empty <= MAY_BE_EMPTY


def test_a_real_prometheus_answers_every_expression() -> None:
    """One that it does not understand is a 400, and raises."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus: it is a Debian package of that name")
    with scraping("http://127.0.0.1:9") as url:
        answered = asked({"panels": panels()}, url, 1000.0, 1010.0)
    assert [one["title"] for one in answered] == [one["title"] for one in panels()]
