"""`apoyo reconcile`, `collect`, `backup`, `restore`: what keeps rows and blobs in step, and copies of both."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipeline.settings import Settings

GAPS = 1
"""Exit code where something is not as it should be, as of `grep` and `diff`: 2 is for what cannot be used."""


def reconcile(
    deep: Annotated[bool, typer.Option(help="Open each blob and compare it with its row's checksum.")] = False,
    mend: Annotated[bool, typer.Option(help="Give a job to supports that wait without one. Nothing else is changed.")] = False,
    jsonl: Annotated[bool, typer.Option(help="One JSON object a line.")] = False,
) -> None:
    """Name what rows and blobs do not agree on; exit code 1 where there is something."""
    from pipeline.records import upkeep
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    counts: Counter[str] = Counter()
    for finding in upkeep.reconcile(storage, deep=deep):
        counts[finding.kind] += 1
        print(json.dumps({"kind": finding.kind, "subject": finding.subject}) if jsonl else f"{finding.kind}\t{finding.subject}")
    mended = upkeep.mend(storage.engine) if mend else 0
    if not jsonl:
        said = ", ".join(f"{counts[kind]} {kind}" for kind in upkeep.Kind)
        print(f"{said}{f'; {mended} mended' if mend else ''}")
    if sum(counts.values()) > mended:
        raise typer.Exit(GAPS)


def collect(
    grace_hours: Annotated[float, typer.Option(min=0, help="Younger blobs stay.")] = 24.0,
    however_many: Annotated[bool, typer.Option(help="Also where a tenth of all blobs would go.")] = False,
) -> None:
    """Delete blobs that no row names, which requests that were cut short left, and what is left of activations that are over."""
    from pipeline.records import upkeep
    from pipeline.records.activations import forget_expired
    from pipeline.records.storage import open_storage

    storage = open_storage(Settings.load().storage)
    print(f"{forget_expired(storage.engine)} activations forgotten")
    print(f"{upkeep.collect(storage, grace=timedelta(hours=grace_hours), however_many=however_many)} blobs collected")


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    with_key: Annotated[bool, typer.Option(help="Also the key-encryption key: then whoever has the copy reads it.")] = False,
) -> None:
    """Copy SQLite and the folder, while the service runs."""
    from pipeline.records.backup import back_up

    copied = back_up(Settings.load().storage, target, with_key=with_key)
    print(f"{copied.supports} supports, {copied.blobs} blobs in {target}; {copied.missing} blobs were not there"
          + ("" if with_key else "\nThe key-encryption key is not among them: without its own copy this one cannot be read."))


def restore(source: Annotated[Path, typer.Argument(help="A folder that `apoyo backup` made.")]) -> None:
    """Bring a copy back into an empty APOYO_STORAGE__DATA_DIR."""
    from pipeline.records.backup import restore as bring_back

    copied = bring_back(source, Settings.load().storage)
    print(f"{copied.supports} supports, {copied.blobs} blobs; {copied.missing} blobs are named and were not in the copy\n"
          "Now: `apoyo reconcile --deep`.")
    if copied.missing:
        raise typer.Exit(GAPS)
