"""`apoyo calibrate presentation`: where suspicion of a copy begins, by an operator's own photographs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import BadInput

if TYPE_CHECKING:
    from models.evaluation.operating_point import OperatingPoint
    from pipeline.domain.calibration import Calibration
    from pipeline.networks.api import Networks

GENUINE, COPIES = "genuine", ("photocopy", "colour_copy", "screen")
FEWEST = 20
"""Genuine photographs: with fewer, even one false alarm in seven could go unseen (3 / 20)."""
NAME = "presentation.suspicion_max"


@dataclass(frozen=True, slots=True)
class Judged:
    """One folder's photographs: the suspicion of each that was measured, and the names of those that were not."""

    suspicions: tuple[float, ...]
    unseen: tuple[str, ...]


def presentation_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds genuine/ and any of photocopy/, colour_copy/, screen/: "
                                                               "photographs of one side of a credential each.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the thresholds there; a file that is there already is "
                                                                  "never overwritten.")] = None,
) -> None:
    """Set the threshold that one genuine photograph in a hundred may pass, and count the copies missed there.

    Nothing of the photographs is kept but counts.
    """
    from models.registry import load_calibration

    files = files_of(folder)
    if out is not None and out.exists():
        raise BadInput(f"{out} is there already and is not overwritten: give another file to --out")
    calibration = load_calibration()
    judged = judge(files, calibration)
    fitted = fit(judged)
    before = at(judged, calibration[NAME])
    print_points(judged, before, fitted)
    if out is not None:
        out.write_text(calibration_text(calibration, fitted), encoding="utf-8")
        typer.echo(f"thresholds in {out}; put it in place of models/calibration/presentation.json to use them")


def files_of(folder: Path) -> Mapping[str, tuple[Path, ...]]:
    """The photographs by kind. Raises `BadInput` for what cannot serve, and says what would."""
    if not folder.is_dir():
        raise BadInput(f"no such folder: {folder}; give one that holds {GENUINE}/ and any of {', '.join(COPIES)}")
    known = (GENUINE, *COPIES)
    strange = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in known)
    if strange:
        raise BadInput(f"{folder} holds a folder {strange[0]!r}: there are {', '.join(known)}")
    files = {kind: tuple(sorted(path for path in (folder / kind).glob("*") if path.is_file())) for kind in known}
    if len(files[GENUINE]) < FEWEST:
        raise BadInput(f"{folder / GENUINE} holds {len(files[GENUINE])} photographs: a threshold needs {FEWEST} of genuine "
                       "credentials at least, and 300 to bound false alarms by 1 %")
    return {kind: paths for kind, paths in files.items() if paths}


def judge(files: Mapping[str, tuple[Path, ...]], calibration: Calibration) -> Mapping[str, Judged]:
    """Each photograph as a worker sees it. Raises `BadInput` where too few of the genuine ones show a side."""
    from rich.progress import track

    from pipeline.wiring import local_networks, pin_threads

    pin_threads(1)
    networks, found = local_networks(), {}
    for kind, paths in files.items():
        seen = [(path, suspected(path, networks, calibration)) for path in track(paths, description=kind, transient=True)]
        found[kind] = Judged(tuple(score for _, score in seen if score is not None),
                             tuple(path.name for path, score in seen if score is None))
    measured = len(found[GENUINE].suspicions)
    if measured < FEWEST:
        raise BadInput(f"only {measured} of {len(files[GENUINE])} genuine photographs show a side of a credential large enough, "
                       f"and {FEWEST} are needed; the first that does not: {found[GENUINE].unseen[0]}")
    return found


def suspected(path: Path, networks: Networks, calibration: Calibration) -> float | None:
    """How much one photograph looks like no card, 0..1; None where no side was recognised on it, or none large enough."""
    from pipeline.checks.deception import suspicion_of
    from pipeline.domain.capture import Capture
    from pipeline.domain.card_model import Side
    from pipeline.domain.support import SupportInfo
    from pipeline.sides import look
    from pipeline.stopwatch import Stopwatch

    capture = Capture(path.read_bytes(), None, None, None, SupportInfo())
    _, side = look(capture, Side.FRONT, networks, calibration, Stopwatch())
    return None if side is None else suspicion_of(side.evidence.presentation, calibration)


def fit(judged: Mapping[str, Judged]) -> OperatingPoint:
    import numpy as np

    from models.evaluation.operating_point import threshold_of

    return at(judged, threshold_of(np.array(judged[GENUINE].suspicions)))


def at(judged: Mapping[str, Judged], threshold: float) -> OperatingPoint:
    """What a threshold makes of the photographs."""
    import numpy as np

    from models.evaluation.operating_point import point_at

    scores = {kind: np.array(one.suspicions) for kind, one in judged.items()}
    return point_at(threshold, scores[GENUINE], {kind: scores[kind] for kind in scores if kind != GENUINE})


def print_points(judged: Mapping[str, Judged], before: OperatingPoint, fitted: OperatingPoint) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="apoyo calibrate presentation")
    now, then = f"suspected at {before.threshold:.2f} (now)", f"at {fitted.threshold:.2f} (fitted)"
    for column in ("folder", "measured", "not seen", now, then):
        table.add_column(column, justify="left" if column == "folder" else "right")
    for kind, one in judged.items():
        cells = [str(sum(score > point.threshold for score in one.suspicions)) for point in (before, fitted)]
        table.add_row(kind, str(len(one.suspicions)), str(len(one.unseen)), *cells)
    console = Console()
    console.print(table)
    console.print(f"fitted {NAME} = {fitted.threshold:.2f}: {fitted}", highlight=False)


def calibration_text(calibration: Calibration, fitted: OperatingPoint) -> str:
    """presentation.json with the fitted threshold; the others stay as this release has them."""
    rows = {}
    for name, one in calibration.thresholds.items():
        if name.startswith("presentation."):
            value, source = one.value, one.source
            if name == NAME:
                value, source = fitted.threshold, f"`apoyo calibrate presentation`, an operator's own photographs: {fitted}"
            rows[name] = {"value": value, "unit": one.unit, "source": source}
    lines = [f'  "{name}": {json.dumps(row, ensure_ascii=False)}' for name, row in rows.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
