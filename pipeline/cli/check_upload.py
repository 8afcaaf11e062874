"""`apoyo check-upload FILE…`: the door's own check, on files. Loads no image library."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.domain.capture import Part
from pipeline.domain.upload import check_upload, max_bytes
from pipeline.errors import BadUpload


def check_files(files: Sequence[Path], part: Part) -> Iterator[dict[str, Any]]:
    """One JSON-ready object a file: {source, outcome, code, …}, or {source, error: {code, detail}} where it cannot be read."""
    for path in files:
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes(part) + 1)
        except OSError as error:
            yield {"source": str(path), "error": {"code": "unreadable", "detail": error.strerror or "cannot be read"}}
            continue
        try:
            facts = check_upload(part, data)
        except BadUpload as refusal:
            yield {"source": str(path), "outcome": "rejected", "code": refusal.code, "detail": refusal.detail}
            continue
        yield {
            "source": str(path), "outcome": "accepted", "code": None, "kind": facts.kind.value,
            "width": facts.width, "height": facts.height, "orientation": facts.orientation,
        }


def check_upload_command(
    files: Annotated[list[Path], typer.Argument(help="Files to check.", show_default=False)],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    part: Annotated[Part, typer.Option(help="Check as this part of a support: a signature may also be a PNG.")] = Part.FRONT,
) -> None:
    """Say for each file whether the door of the API would let it in, and why not. Exit 0 whatever the outcomes."""
    for result in check_files(files, part):
        print(json.dumps(result, ensure_ascii=False) if jsonl else _line(result), flush=True)


def _line(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"{result['source']}: error ({result['error']['code']}): {result['error']['detail']}"
    if result["outcome"] == "rejected":
        return f"{result['source']}: rejected ({result['code']}): {result['detail']}"
    return f"{result['source']}: accepted ({result['kind']}, {result['width']} x {result['height']})"
