"""`apoyo clients add · list · rotate · revoke`: who may speak to the API, and for how long by which secret."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.blobs.files import replace_secret
from pipeline.records.clients import Role
from pipeline.settings import Settings

clients = typer.Typer(no_args_is_help=True, help="Who may speak to the API.")
Id = Annotated[str, typer.Argument(help="The client's id, as `apoyo clients list` names it.")]


@clients.command()
def add(
    name: Annotated[str, typer.Argument(help="What the trail calls it: no person's name.")],
    role: Annotated[Role, typer.Option(
        help="A backend sends; an officer reads all and decides; an auditor reads the trail; an operator sees what waits.",
    )] = Role.BACKEND,
) -> None:
    """Make a client and print its secret, once: only a digest is kept."""
    from pipeline.records.clients import add_client, new_secret
    from pipeline.records.storage import open_storage

    secret = new_secret()
    client = add_client(open_storage(Settings.load().storage).engine, name, secret, role)
    print(f"{client.role} {client.id}: {secret}")


@clients.command("list")
def list_all() -> None:
    """Every client there ever was: id, role, name, since when, and whether it was revoked."""
    from pipeline.records.clients import list_clients
    from pipeline.records.storage import open_storage

    for one in list_clients(open_storage(Settings.load().storage).engine):
        state = f"revoked {one.revoked_at:%Y-%m-%d %H:%M}Z" if one.revoked_at else "active"
        if one.overlap_until:
            state += f", the former secret opens until {one.overlap_until:%Y-%m-%d %H:%M}Z"
        print(f"{one.client.id}  {one.client.role:8}  {one.client.name}  since {one.created_at:%Y-%m-%d}  {state}")


@clients.command()
def rotate(
    client_id: Id,
    overlap_hours: Annotated[float, typer.Option(min=0, max=24 * 30, help="How long the former secret still opens.")] = 24,
) -> None:
    """A new secret, printed once. Put it in place while both open; rotate again with 0 where the former one has leaked."""
    from pipeline.records.clients import authenticate, new_secret, rotate_client
    from pipeline.records.storage import open_storage

    settings = Settings.load().storage
    engine, secret = open_storage(settings).engine, new_secret()
    file = settings.client_secret_file
    first = authenticate(engine, file.read_text().strip()) if file.exists() else None
    until = rotate_client(engine, client_id, secret, overlap_hours * 3600)
    print(f"{client_id}: {secret}\nthe former secret opens until {until:%Y-%m-%d %H:%M}Z")
    if first is not None and first.id == client_id:
        replace_secret(file, secret)
        print(f"{file} holds the new one")


@clients.command()
def revoke(client_id: Id) -> None:
    """No secret of this client opens any more, from its next request on. What it sent stays; its webhooks are removed."""
    from pipeline.records.clients import revoke_client
    from pipeline.records.storage import open_storage

    revoke_client(open_storage(Settings.load().storage).engine, client_id)
    print(f"{client_id} is revoked")
