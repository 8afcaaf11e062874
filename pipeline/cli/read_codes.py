"""`apoyo read-codes`: the QR and PDF417 codes of any picture, card or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.stages.decode import Photo
    from pipeline.stages.scan_codes import FoundCode

LONG_SIDE = 4000
"""Pixels of the long side up to which a picture is read whole: a code may be small in it."""


def read_codes_command(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="Pictures: JPEG, PNG, WebP, TIFF and others.")],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a picture and line.")] = False,
) -> None:
    """Read the codes of each picture: what they say as text, and where they are. No link is followed.

    Corners are pixels of the upright picture at full resolution, from the symbol's own top left, clockwise. A picture that
    cannot be used says so in its own line.
    """
    for image in images:
        answer = read_one(image)
        typer.echo(json.dumps(answer, ensure_ascii=False) if jsonl else "\n".join(_lines(answer)))


def read_one(image: Path) -> dict[str, Any]:
    """The answer for one file; what is wrong with it stands in `error`."""
    from pipeline.errors import BadInput
    from pipeline.stages.decode import decode
    from pipeline.stages.rectify import as_grey
    from pipeline.stages.scan_codes import scan_picture

    answer: dict[str, Any] = {"source": str(image), "codes": []}
    try:
        photo = decode(image.read_bytes(), LONG_SIDE)
    except OSError as error:
        return answer | {"error": {"code": "unreadable_file", "detail": error.strerror or type(error).__name__}}
    except BadInput as error:
        return answer | {"error": {"code": error.code, "detail": error.detail}}
    return answer | {"codes": [_code(code, photo) for code in scan_picture(as_grey(photo.view))]}


def _code(code: FoundCode, photo: Photo) -> dict[str, Any]:
    import hashlib

    # pixel centres: the view's pixel 0 covers the first `scale` pixels of the photograph
    corners = (code.corners + 0.5) * photo.scale - 0.5
    return {
        "symbology": code.symbology.value, "status": "decoded" if code.decoded else "detected", "text": code.text,
        "sha256": hashlib.sha256(code.payload).hexdigest() if code.payload else None,
        "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in corners],
    }


def _lines(answer: dict[str, Any]) -> list[str]:
    if "error" in answer:
        return [f"{answer['source']}: error: {answer['error']['code']}: {answer['error']['detail']}"]
    if not answer["codes"]:
        return [f"{answer['source']}: no code"]
    return [f"{answer['source']}: {code['symbology']} {code['status']} {_shown(code)}" for code in answer["codes"]]


def _shown(code: dict[str, Any]) -> str:
    """Text without anything that could steer a terminal; for bytes, their digest."""
    if code["text"] is None:
        return f"sha256 {code['sha256']}" if code["sha256"] else ""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in code["text"])
