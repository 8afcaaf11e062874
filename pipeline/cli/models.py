"""`apoyo models`: the networks of this installation, and model packs that an operator brings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(no_args_is_help=True, help="The networks: what is here, under which licence; add a pack of your own.")


@models.command("list")
def list_models() -> None:
    """Each network with its licence, its SHA-256, and whether its file is ready; then the packs that were added."""
    from models.packs import list_packs
    from models.registry import checked_bytes, load_calibration, load_manifest
    from pipeline.errors import Misconfigured
    from pipeline.versions import versions

    for weight in load_manifest().weights.values():
        try:
            checked_bytes(weight.path, weight.sha256)
            state = "ready"
        except Misconfigured as error:
            state = error.detail
        typer.echo(f"{weight.name:16} {weight.sha256[:12]}  {weight.licence:12} {state}")
    for pack in list_packs():
        for role in pack.sha256:
            typer.echo(f"{pack.name} {role}: {pack.sha256[role][:12]}  {'ready' if pack.path(role).is_file() else 'missing'}")
        typer.echo(f"  {pack.licence}")
    judging = versions(load_calibration())
    typer.echo(f"code {judging['code']}, thresholds {judging['thresholds']}: as each verdict names them under `versions`")


@models.command()
def add(
    name: Annotated[str, typer.Argument(help="The pack, as insightface:buffalo_l.")],
    path: Annotated[Path, typer.Option(help="The folder that holds the pack's .onnx files.", exists=True, file_okay=False)],
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="You read its licence, and may use it.")] = False,
) -> None:
    """Keep a model pack's detector and recogniser, by SHA-256. Nothing is downloaded; without --accept-licence nothing is copied.

    `apoyo compare-faces --pack NAME` uses it. No threshold was set for any pack: measure one first.
    """
    from models.packs import LICENCE, add_pack
    from pipeline.errors import Misconfigured

    if not accept_licence:
        raise Misconfigured(f"{LICENCE}. If you may use it, say so: --accept-licence")
    from pipeline.networks.insightface_packs import role_of

    pack, left = add_pack(name, path, role_of)
    for role, sha256 in pack.sha256.items():
        typer.echo(f"{pack.name} {role}: sha256 {sha256}")
    if left:
        typer.echo(f"not used: {', '.join(left)}")
    typer.echo(LICENCE)
