"""`apoyo pack ID…`: signed evidence packs of supports that the service judged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings import Settings


def pack(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Supports, by the ids that the API gave them.")],
    out: Annotated[Path, typer.Option(metavar="OUT", help="The folder that the packs are written into.")] = Path("packs"),
) -> None:
    """Write a signed evidence pack of each support: captures, evidence, verdict, rules. All of it lies there in the clear."""
    from models.registry import load_calibration
    from pipeline.errors import ApoyoError
    from pipeline.packs.file import signing_key
    from pipeline.packs.stored import pack_stored
    from pipeline.records.storage import open_storage

    settings = Settings.load().storage
    storage, calibration, key = open_storage(settings), load_calibration(), signing_key(settings.pack_key_file)
    failed = 0
    for support_id in ids:
        try:
            typer.echo(pack_stored(storage, support_id, calibration, key, out))
        except ApoyoError as error:  # one that cannot be packed does not stop the others
            failed += 1
            typer.echo(f"{support_id}: {error.code}: {error.detail}", err=True)
    if failed:
        raise typer.Exit(1)
