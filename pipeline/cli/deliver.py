"""`apoyo deliver`: the deliverer alone, until SIGINT or SIGTERM."""

from __future__ import annotations

import typer


def deliver() -> None:
    """Tell events by webhook and mail, from the database, until interrupted; attempts under way are finished first."""
    from api.deliver import main

    raise typer.Exit(main())
