"""`apoyo reap`: what is kept no longer goes. Daily."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.settings import Settings


def reap(
    dry_run: Annotated[bool, typer.Option(help="Say what would go; nothing is changed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Supports at most.")] = 10_000,
) -> None:
    """Erase supports that their process keeps no longer, and remove events, deliveries and jobs that are done long since."""
    from pipeline.records import retention
    from pipeline.records.storage import open_storage

    settings = Settings.load()
    storage = open_storage(settings.storage)
    for one in retention.due(storage.engine):
        print(f"{one.process}\t{one.state}\tafter {one.days} days\t{one.count} due\t{one.held} held")
    done = 0
    if not dry_run:
        for done in retention.reap(storage, limit):
            print(f"{done} erased", flush=True)
    pruned = retention.prune(storage.engine, settings.delivery.kept_days, dry_run=dry_run)
    said = f"{pruned.jobs} jobs, {pruned.deliveries} deliveries, {pruned.events} events that are done"
    print(f"nothing was changed; {said} would be removed" if dry_run else f"{done} supports erased; {said} removed")
