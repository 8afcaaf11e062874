"""`apoyo clients add · list · rotate · revoke · add-key · remove-key`: who may speak to the API, and by which secret or key."""

from __future__ import annotations

from pathlib import Path
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
    key: Annotated[Path | None, typer.Option(help="PEM of a public key or certificate: known by that, without a secret.")] = None,
) -> None:
    """Make a client and print its secret, once: only a digest is kept. With `--key` none is printed, and nobody has one."""
    from pipeline.records.client_keys import add_key, read_public_part
    from pipeline.records.clients import add_client, new_secret
    from pipeline.records.storage import open_storage

    part = None if key is None else read_public_part(key.read_bytes())
    engine, secret = open_storage(Settings.load().storage).engine, new_secret()
    client = add_client(engine, name, secret, role)
    if part is not None:
        add_key(engine, client.id, part)
    print(f"{client.role} {client.id}: {secret if part is None else f'{part.kind} {part.id}'}")


@clients.command("add-key")
def add_key_to(client_id: Id, key: Annotated[Path, typer.Argument(help="PEM of a public key or certificate.")]) -> None:
    """A further key or certificate of a client: put it in place, then remove the one before."""
    from pipeline.records.client_keys import add_key, read_public_part
    from pipeline.records.storage import open_storage

    part = read_public_part(key.read_bytes())
    add_key(open_storage(Settings.load().storage).engine, client_id, part)
    print(f"{client_id}: {part.kind} {part.id}")


@clients.command("remove-key")
def remove_key_of(client_id: Id, key_id: Annotated[str, typer.Argument(help="The key's id.")]) -> None:
    """The key opens nothing from the client's next request on, and cannot be added again."""
    from pipeline.records.client_keys import remove_key
    from pipeline.records.storage import open_storage

    remove_key(open_storage(Settings.load().storage).engine, client_id, key_id)
    print(f"{client_id}: {key_id} is removed")


@clients.command("list")
def list_all() -> None:
    """Every client there ever was: id, role, name, since when, whether it was revoked, and its keys."""
    from pipeline.records.client_keys import list_keys
    from pipeline.records.clients import list_clients
    from pipeline.records.storage import open_storage

    engine = open_storage(Settings.load().storage).engine
    keys = list_keys(engine)
    for one in list_clients(engine):
        state = f"revoked {one.revoked_at:%Y-%m-%d %H:%M}Z" if one.revoked_at else "active"
        if one.overlap_until:
            state += f", the former secret opens until {one.overlap_until:%Y-%m-%d %H:%M}Z"
        print(f"{one.client.id}  {one.client.role:8}  {one.client.name}  since {one.created_at:%Y-%m-%d}  {state}")
        for held in keys:
            if held.client_id == one.client.id:
                print(f"    {held.key.kind} {held.key.id}  since {held.added_at:%Y-%m-%d}")


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
