"""`apoyo reconcile`, `collect`, `backup`, `restore`: what keeps rows and blobs in step, and copies of both."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import Misconfigured
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
    """Delete blobs that no row names, which requests that were cut short left, and what is left of activations that are over;
    erase what a restored database has again."""
    from pipeline.records import erasures, upkeep
    from pipeline.records.activations import forget_expired
    from pipeline.records.storage import open_storage
    from pipeline.records.uploads import forget_uploads

    storage = open_storage(Settings.load().storage)
    erasures.keep_the_rest(storage)
    again = erasures.apply_again(storage, erasures.kept_receipts(storage))
    print(f"{again.erased} supports that had come back were erased again; {again.refused} receipts refused")
    print(f"{forget_expired(storage.engine)} activations and {forget_uploads(storage.engine)} uploads forgotten")
    print(f"{upkeep.collect(storage, grace=timedelta(hours=grace_hours), however_many=however_many)} blobs collected")
    erasures.scrub(storage.engine)


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    with_key: Annotated[bool, typer.Option(help="Also the key-encryption key: then whoever has the copy reads it.")] = False,
) -> None:
    """Copy SQLite and the folder, while the service runs."""
    from pipeline.records.backup import back_up

    copied = back_up(Settings.load().storage, target, with_key=with_key)
    print(f"{copied.supports} supports, {copied.blobs} blobs in {target}; {copied.missing} blobs were not there"
          + ("" if with_key else "\nThe key-encryption key is not among them: without its own copy this one cannot be read."))


def restore(
    source: Annotated[Path, typer.Argument(help="A folder that `apoyo backup` made.")],
    erasures: Annotated[Path | None, typer.Option(help="What `apoyo receipts export` wrote last, or the `erasures` folder of the "
                                                       "former blobs: erased again before anything else.")] = None,
    without_erasures: Annotated[bool, typer.Option(help="There is none, or nothing was ever erased.")] = False,
) -> None:
    """Bring a copy back into an empty APOYO_STORAGE__DATA_DIR, without what was erased since."""
    from pipeline.records.backup import restore as bring_back
    from pipeline.records.erasures import apply_again, receipts_in
    from pipeline.records.storage import open_storage

    if (erasures is None) != without_erasures:
        raise Misconfigured("a copy knows nothing of what was erased after it: name the receipts by --erasures, or say that "
                            "there are none by --without-erasures", code="erasures_not_named")
    settings = Settings.load().storage
    receipts = [] if erasures is None else receipts_in(erasures)
    copied = bring_back(source, settings, receipts)
    again = apply_again(open_storage(settings), receipts)
    print(f"{copied.supports} supports, {copied.blobs} blobs; {copied.missing} blobs are named and were not in the copy\n"
          f"{again.erased} supports were erased again; {again.refused} receipts refused\n"
          "Now: `apoyo reconcile --deep`.")
    if copied.missing or again.refused:
        raise typer.Exit(GAPS)
