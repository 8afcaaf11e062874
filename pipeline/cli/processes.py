"""`apoyo processes apply FILE`: an operator puts a process in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings import Settings

processes = typer.Typer(no_args_is_help=True, help="Citizen-participation processes, as policy.")


@processes.callback()
def _group() -> None:
    """Keeps `apply` a word of its own while it is the only one."""


@processes.command("apply")
def apply(file: Annotated[Path, typer.Argument(help="One process as TOML; docs/api.md shows one.")]) -> None:
    """Put a process in force as its next version: every verdict from now on is by it, without a restart."""
    from pipeline.domain.process import IN_EARNEST
    from pipeline.records.processes import apply_process, read_process_file
    from pipeline.records.storage import open_storage

    written = read_process_file(file)
    applied = apply_process(open_storage(Settings.load().storage).engine, written)
    if applied.changed:
        print(f"{applied.version} is in force; changed: {', '.join(applied.changed)}")
    else:
        print(f"{applied.version} was in force already: nothing changed")
    left_out = sorted(IN_EARNEST - written.required)
    if left_out or not written.activation:
        named = [*left_out, *([] if written.activation else ["activation"])]
        print(f"it does not ask for {', '.join(named)}: right for a trial; k8s/policy/process.toml is one that counts")
