"""`apoyo locate`: where the card lies in each photograph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.domain.calibration import Calibration
    from pipeline.networks.api import Networks


def locate_command(
    images: Annotated[list[Path], typer.Argument(help="Photographs: JPEG, PNG, WebP, TIFF and others.")],
    ratio: Annotated[float | None, typer.Option(help="Long over short side of what is sought; default: ID-1.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
) -> None:
    """Find the card in each photograph: its corners in pixels of the upright picture at full resolution.

    Corners run clockwise; the first side is a long one. A picture that cannot be used says so in its own line.
    """
    if ratio is not None and not 1.0 <= ratio <= 10.0:
        raise typer.BadParameter("the ratio of the long to the short side lies between 1 and 10", param_hint="--ratio")
    from models.registry import load_calibration
    from pipeline.wiring import local_networks

    networks, calibration = local_networks(), load_calibration()
    for image in images:
        answer = locate_one(image, ratio, networks, calibration)
        typer.echo(json.dumps(answer) if jsonl else _line(answer))


def locate_one(image: Path, ratio: float | None, networks: Networks, calibration: Calibration) -> dict[str, Any]:
    """The answer for one file; what is wrong with it stands in `error`."""
    from pipeline.errors import BadInput
    from pipeline.stages.decode import decode
    from pipeline.stages.geometry import CARD_MM
    from pipeline.stages.locate import locate

    answer: dict[str, Any] = {"source": str(image), "outcome": None, "corners": None}
    try:
        photo = decode(image.read_bytes())
        found = locate(photo.view, networks, calibration, ratio=ratio or CARD_MM[0] / CARD_MM[1])
    except OSError as error:
        return answer | {"error": {"code": "unreadable_file", "detail": error.strerror or type(error).__name__}}
    except BadInput as error:
        return answer | {"error": {"code": error.code, "detail": error.detail}}
    if found.quad is not None:
        # pixel centres: the view's pixel 0 covers the first `scale` pixels of the photograph
        corners = (found.quad + 0.5) * photo.scale - 0.5
        answer["corners"] = [[round(float(x), 2), round(float(y), 2)] for x, y in corners]
    return answer | {"outcome": str(found.sighting), "score": round(found.score, 4)}


def _line(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{answer['source']}: error: {answer['error']['code']}: {answer['error']['detail']}"
    corners = " ".join(f"({x:.1f}, {y:.1f})" for x, y in answer["corners"] or [])
    return f"{answer['source']}: {answer['outcome']} {corners}".rstrip()
