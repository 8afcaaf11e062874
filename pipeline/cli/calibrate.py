"""`apoyo calibrate`: fits what this release only assumes to an operator's own cards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.calibrate_presentation import presentation_command
from pipeline.cli.verify import read_folder
from pipeline.errors import BadInput

if TYPE_CHECKING:
    from pipeline.domain.evidence import CardEvidence, TemplateEvidence
    from pipeline.domain.template import Template, Templates
    from pipeline.stages.refit import Moved

calibrate = typer.Typer(no_args_is_help=True, help="Fits what this release only assumes to an operator's own cards.")


calibrate.command("presentation")(presentation_command)


@calibrate.command("templates")
def templates_command(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders of good supports, as `apoyo verify` takes them.")],
    out: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the fitted templates into this folder; a file that is "
                                                                 "there already is never overwritten.")] = None,
) -> None:
    """Re-fit where each printed element stands, and report what moved. Nothing of the cards is kept but places in mm."""
    from models.registry import load_templates, template_text
    from pipeline.stages.refit import refit

    missing = [str(folder) for folder in dirs if not folder.is_dir()]
    if missing:
        raise BadInput(f"no such folder: {missing[0]}; give folders that hold front.* and back.*")
    known = load_templates()
    sightings = sighted(dirs, known)
    fitted = [(template, *refit(template, sightings[template.name])) for template in known if template.name in sightings]
    print_moves([(template, moves) for template, _, moves in fitted])
    if out is None:
        return
    files = {out / f"{new.name}.toml": template_text(new) for _, new, _ in fitted}
    there = [path for path in files if path.exists()]
    if there:
        raise BadInput(f"{there[0]} is there already and is not overwritten: give another folder to --out")
    out.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    typer.echo(f"{len(files)} templates in {out}; put them into models/templates to use them")


def sighted(dirs: Sequence[Path], templates: Templates) -> Mapping[str, list[TemplateEvidence]]:
    """By template's name: each card that was registered to it. A card whose model is in doubt serves none."""
    from models.registry import load_calibration
    from pipeline.verify import examine
    from pipeline.wiring import local_networks, pin_threads

    pin_threads(1)
    networks, calibration = local_networks(), load_calibration()
    found: dict[str, list[TemplateEvidence]] = defaultdict(list)
    for folder in dirs:
        card = examine(read_folder(folder), networks, calibration, templates).card
        if card.confidence >= calibration["checks.model_confident"]:
            for name, seen in _registered(card, templates):
                found[name].append(seen)
    return found


def _registered(card: CardEvidence, templates: Templates) -> Iterator[tuple[str, TemplateEvidence]]:
    for side in (card.front, card.back):
        if side is not None and side.template is not None and side.residual_mm is not None:
            for template in templates:
                if template.side is side.side and template.models == side.template.models:
                    yield template.name, side.template


def print_moves(rows: Sequence[tuple[Template, Sequence[Moved]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="apoyo calibrate templates")
    for column in ("template", "element", "cards", "right mm", "down mm", "spread mm", ""):
        table.add_column(column, justify="left" if column in ("template", "element", "") else "right")
    for template, moves in rows:
        for one in moves:
            said = "fitted" if one.fitted else "kept"
            table.add_row(template.name, one.name, str(one.cards), f"{one.dx:+.1f}", f"{one.dy:+.1f}", f"{one.spread:.1f}", said)
    Console().print(table)
