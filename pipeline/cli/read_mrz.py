"""`apoyo read-mrz`: the machine-readable zone of any picture, on a card or a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.domain.calibration import Calibration
    from pipeline.networks.api import Image, Networks
    from pipeline.stages.read_any_mrz import AnyMrz


def read_mrz_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Pictures: JPEG, PNG, WebP, TIFF and others.")],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a picture and line.")] = False,
) -> None:
    """Read the machine-readable lines of each picture, and say whether their check digits hold.

    A card is sought first and looked at straight; where there is none, the whole picture is searched. A picture that cannot be
    used says so in its own line.
    """
    from models.registry import load_calibration
    from pipeline.wiring import local_networks

    networks, calibration = local_networks(), load_calibration()
    for image in images:
        answer = read_one(image, networks, calibration)
        typer.echo(json.dumps(answer) if jsonl else "\n".join(_lines(answer)))


def read_one(image: Path, networks: Networks, calibration: Calibration) -> dict[str, Any]:
    """The answer for one file; what is wrong with it stands in `error`."""
    from pipeline.errors import BadInput
    from pipeline.stages.decode import decode

    answer: dict[str, Any] = {"source": str(image), "mrz": None}
    try:
        found = search(decode(image.read_bytes()).view, networks, calibration)
    except OSError as error:
        return answer | {"error": {"code": "unreadable_file", "detail": error.strerror or type(error).__name__}}
    except BadInput as error:
        return answer | {"error": {"code": error.code, "detail": error.detail}}
    if found is None:
        return answer
    return answer | {"mrz": {"format": found.format, "lines": list(found.lines), "valid": found.valid}}


def search(view: Image, networks: Networks, calibration: Calibration) -> AnyMrz | None:
    """On the located card, then in the whole picture; a reading whose check digits hold is taken at once."""
    from pipeline.domain.evidence import Sighting
    from pipeline.stages.locate import locate
    from pipeline.stages.read_any_mrz import read_any_mrz
    from pipeline.stages.rectify import rectify

    least = calibration["text.any_mrz_least"]
    located = locate(view, networks, calibration)
    on_card = None
    if located.quad is not None and located.sighting is Sighting.FOUND:
        on_card = read_any_mrz(rectify(view, located.quad), networks, least)
    if on_card is not None and on_card.valid:
        return on_card
    whole = read_any_mrz(view, networks, least)
    if whole is None or (on_card is not None and on_card.confidence >= whole.confidence and not whole.valid):
        return on_card
    return whole


def _lines(answer: dict[str, Any]) -> list[str]:
    if "error" in answer:
        return [f"{answer['source']}: error: {answer['error']['code']}: {answer['error']['detail']}"]
    if answer["mrz"] is None:
        return [f"{answer['source']}: no machine-readable lines"]
    mrz = answer["mrz"]
    state = "check digits hold" if mrz["valid"] else "check digits do not hold"
    return [f"{answer['source']}: {mrz['format']}, {state}", *(f"    {line}" for line in mrz["lines"])]
