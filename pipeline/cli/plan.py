"""`apoyo plan`: where the networks will run on this machine, and why."""

from __future__ import annotations

from typing import Annotated

import typer


def plan(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Show where the networks run on this machine (workers, servers, device, batches), and why; nothing is started."""
    import json
    from dataclasses import asdict

    from pipeline.machine import this_machine
    from pipeline.settings import Settings
    from pipeline.wiring import service_plan

    settings, machine = Settings.load(), this_machine()
    chosen = service_plan(settings)
    if as_json:
        typer.echo(json.dumps({"machine": {**asdict(machine), "devices": sorted(machine.devices)}, "plan": asdict(chosen)}))
        return
    typer.echo(f"machine   {machine.cores} cores; GPUs: {', '.join(machine.gpus) or 'none'}; ONNX Runtime runs on "
               f"{', '.join(sorted(machine.devices))}")
    typer.echo(f"networks  {chosen.place} on {chosen.device}, batches of {', '.join(map(str, chosen.batch_sizes))}")
    typer.echo(f"processes {chosen.workers} workers and {chosen.servers} servers of networks, one thread each")
    typer.echo(f"photos    decoded on the {'GPU' if chosen.gpu_jpeg else 'CPU'}")
    for reason in chosen.because:
        typer.echo(f"because   {reason}")
    if settings.ray.address:
        typer.echo("A cluster is set (APOYO_RAY__ADDRESS): its plan follows from the nodes' means, not from this machine's.")
