"""`apoyo clients add`: another backend, or an officer of the Mesa de Control."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.records.clients import Role
from pipeline.settings import Settings

clients = typer.Typer(no_args_is_help=True, help="Who may speak to the API.")


@clients.callback()
def _group() -> None:
    """Keeps `add` a word of its own while it is the only one."""


@clients.command()
def add(
    name: Annotated[str, typer.Argument(help="What the trail calls it: no person's name.")],
    role: Annotated[Role, typer.Option(help="A backend sends supports; an officer reads all and decides.")] = Role.BACKEND,
) -> None:
    """Make a client and print its secret, once: only a digest is kept."""
    from pipeline.records.clients import add_client, new_secret
    from pipeline.records.storage import open_storage

    secret = new_secret()
    client = add_client(open_storage(Settings.load().storage).engine, name, secret, role)
    print(f"{client.role} {client.id}: {secret}")
