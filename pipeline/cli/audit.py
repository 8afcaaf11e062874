"""`apoyo audit verify`, `apoyo audit head`: whether the trail is as it was written, held against a head from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import BadInput
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.records.audit import Head

BROKEN = 1
"""Exit code where the chain does not hold."""
audit = typer.Typer(no_args_is_help=True, help="The trail of what was done.")


@audit.command()
def verify(
    head: Annotated[Path | None, typer.Option(help="What `apoyo audit head` wrote earlier and was kept elsewhere: by it a tail "
                                                   "that was cut and a chain that was written anew are found.")] = None,
) -> None:
    """Whether each row follows from the one before; exit code 1 with the number of the first that does not."""
    from pipeline.records.audit import first_broken
    from pipeline.records.audit import head as end_of
    from pipeline.records.storage import open_storage

    kept = None if head is None else _read(head)
    engine = open_storage(Settings.load().storage).engine
    broken = first_broken(engine, kept)
    if broken is not None:
        print(f"the trail does not hold from row {broken} on")
        raise typer.Exit(BROKEN)
    print(f"{end_of(engine).seq} rows hold" + ("" if kept else "; without --head a cut tail is not seen"))


@audit.command("head")
def show_head(out: Annotated[Path | None, typer.Option(help="A new file; none: shown.")] = None) -> None:
    """The end of the chain, to be kept off this machine: hourly, by a job of another account."""
    from pipeline.records.audit import head as end_of
    from pipeline.records.storage import open_storage

    end = end_of(open_storage(Settings.load().storage).engine)
    text = json.dumps({"seq": end.seq, "hash": end.hash})
    if out is None:
        print(text)
    else:
        with out.open("x") as file:
            file.write(f"{text}\n")


def _read(file: Path) -> Head:
    from pipeline.records.audit import Head

    try:
        data = json.loads(file.read_text())
        return Head(int(data["seq"]), str(data["hash"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file} is no head: {type(error).__name__}", code="bad_audit_head") from None
