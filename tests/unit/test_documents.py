"""What the documents name exists: commands with their options, make targets, settings, metrics, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from prometheus_client import REGISTRY

from pipeline import telemetry
from pipeline.cli.main import app
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "k8s" / "README.md", *(ROOT / "docs").glob("*.md")])
SUFFIXES = ("_total", "_bucket", "_sum", "_count")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def each(pattern: str) -> list[tuple[str, str]]:
    """Each match on any page, with the page's name."""
    return sorted({(page.relative_to(ROOT).as_posix(), match) for page in PAGES for match in re.findall(pattern, text_of(page))})


def commands() -> list[tuple[str, str]]:
    """`apoyo …` in code: a line of a block, or between backticks."""
    found = set()
    for page in PAGES:
        for line in re.findall(r"^    (.*)$", text_of(page), re.MULTILINE) + re.findall(r"`([^`\n]+)`", text_of(page)):
            found |= {(page.relative_to(ROOT).as_posix(), match) for match in re.findall(r"(?:^|[;&] |\$ )(apoyo [a-z][^#;&|·…]*)", line)}
    return sorted(found)


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_exists_with_its_options(page: str, line: str) -> None:
    known: Any = typer.main.get_command(app)
    words = line.split()[1:]
    while words and hasattr(known, "commands"):
        assert words[0] in known.commands, f"{page}: {line}"
        known = known.commands[words.pop(0)]
    options = {option for parameter in known.params for option in (*parameter.opts, *parameter.secondary_opts)}
    named = {word.strip("[]").partition("=")[0] for word in words if word.strip("[]").startswith("--")}
    assert named <= options | {"--help"}, f"{page}: {line}"


@pytest.mark.parametrize(("page", "target"), each(r"\bmake ([a-z][a-z0-9-]+)\b(?=[ `)\n])"))
def test_a_make_target_exists(page: str, target: str) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    in_code = re.search(rf"(`|^    |\()make {target}\b", text_of(ROOT / page), re.MULTILINE)
    assert target in targets or not in_code, page


@pytest.mark.parametrize(("page", "name"), each(r"APOYO_[A-Z]+__[A-Z0-9_]+"))
def test_a_setting_exists(page: str, name: str) -> None:
    section, _, field = name.removeprefix("APOYO_").lower().partition("__")
    fields: Any = Settings.model_fields[section].annotation
    assert field in fields.model_fields or any(one.startswith(field) for one in fields.model_fields if name.endswith("_")), page


@pytest.mark.parametrize(("page", "name"), each(r"`(apoyo_[a-z_]+)"))
def test_a_metric_exists(page: str, name: str) -> None:
    assert telemetry
    families = {family.name for family in REGISTRY.collect()}
    assert name in families or any(name == family + suffix for family in families for suffix in SUFFIXES), page


@pytest.mark.parametrize(("page", "place"), each(r"`((?:docs|pipeline|api|models|tests|scripts|k8s|benchmarks)/[\w./-]+\.\w+)`"))
def test_a_file_exists(page: str, place: str) -> None:
    assert (ROOT / place).is_file(), page
