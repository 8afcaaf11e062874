"""`apoyo migrate`: the tables brought up to date, before the programs that need them."""

from __future__ import annotations

from pipeline.settings import Settings


def migrate() -> None:
    """Bring the database's tables up to date. Every program does so at its start too; a rollout does it once, first."""
    from pipeline.records.storage import open_storage

    open_storage(Settings.load().storage).engine.dispose()
    print("the tables are up to date")
