"""`apoyo check-signature`: is it drawn as a signature is?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.domain.calibration import Calibration


def check_signature_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Drawn signatures, photos of them, or "
                                            "`support.json` files with strokes.")],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a picture and line.")] = False,
) -> None:
    """Say of each picture whether a signature is drawn on it, and if not, what is. Nothing is compared with it."""
    from models.registry import load_calibration

    calibration = load_calibration()
    for image in images:
        answer = check_one(image, calibration)
        typer.echo(json.dumps(answer) if jsonl else _line(answer))


def check_one(image: Path, calibration: Calibration) -> dict[str, Any]:
    """The answer for one file; what is wrong with it stands in `error`. The outcome is that of the check `signature_present`."""
    from pipeline.checks.person import judge_signature
    from pipeline.domain.support import SupportInfo
    from pipeline.errors import BadInput
    from pipeline.stages.decode import decode
    from pipeline.stages.signature import examine_signature

    answer: dict[str, Any] = {"source": str(image), "outcome": None, "kind": None}
    try:
        data = image.read_bytes()
        strokes = SupportInfo.parse(data).strokes if image.suffix == ".json" else ()
        view = None if image.suffix == ".json" else decode(data).view
    except OSError as error:
        return answer | {"error": {"code": "unreadable_file", "detail": error.strerror or type(error).__name__}}
    except BadInput as error:
        return answer | {"error": {"code": error.code, "detail": error.detail}}
    found = examine_signature(view, strokes, calibration)
    measures = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(found).items()}
    return answer | measures | {"outcome": judge_signature(found).outcome.value, "kind": found.kind.value}


def _line(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{answer['source']}: error: {answer['error']['code']}: {answer['error']['detail']}"
    return f"{answer['source']}: {answer['outcome']} {answer['kind']}"
