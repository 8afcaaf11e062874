"""`apoyo specimens`: draws supports of invented citizens, with the truth beside each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SeverityChoice(StrEnum):
    """How hard the captures are; `mixed` draws each."""

    EASY = "easy"
    NORMAL = "normal"
    HARD = "hard"
    MIXED = "mixed"


def specimens(
    out: Annotated[Path, typer.Argument(help="Folder that gets one folder a support.")],
    count: Annotated[int, typer.Option(min=1, help="How many supports.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed draws the same bytes.")] = 1,
    severity: Annotated[SeverityChoice, typer.Option(help="How hard the captures are.")] = SeverityChoice.MIXED,
    case: Annotated[list[str] | None, typer.Option(help="A case by name; may be repeated. None: a mixture.")] = None,
    long_side: Annotated[int | None, typer.Option(min=600, max=8000, help="Long side of the card photos in pixels.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; one a core if not said.")] = None,
) -> None:
    """Draw supports as a phone would send them: photos, selfie, signature, and truth.json beside them."""
    from models.specimens.cases import CASES
    from models.specimens.make import make_specimens

    unknown = [name for name in case or () if name not in CASES]
    if unknown:
        raise typer.BadParameter(f"no case {unknown[0]!r}: there are {', '.join(CASES)}", param_hint="--case")
    folders = make_specimens(out, count, seed, severity.value, case, long_side=long_side, jobs=jobs)
    typer.echo(f"{len(folders)} supports in {out}")
