"""`apoyo demo`: specimens through the real service, as an app's backend would send them; a table, and a folder to look into."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.verify import VERDICT_STYLES, in_spanish, read_folder, table_console
from pipeline.errors import Unavailable

if TYPE_CHECKING:
    import httpx
    from rich.progress import Progress

DEMO_SEED = 2026
VERDICT_DEADLINE_S = 120
"""For the last of a dozen supports on two slow cores; the demo says so rather than wait for ever."""
POLL_S = 0.2
HOOK_DEADLINE_S = 20
"""From the last verdict to the last message: the deliverer looks four times a second."""
SERVICE_DATA = "demo-service"
"""The service's data begins empty with each demo: what an earlier one sent would be found, and called a copy."""


@dataclass(slots=True)
class Sent:
    """One specimen on its way."""

    folder: Path
    name: str
    expected: dict[str, Any]
    location: str = ""
    sent_at: float = 0.0
    seconds: float = 0.0
    resource: dict[str, Any] = field(default_factory=dict)

    @property
    def as_expected(self) -> bool:
        """The verdict is one of those expected and, where the case names a subject, a reason is about it."""
        subjects = set(self.expected.get("subjects", ()))
        named = {reason["subject"] for reason in self.resource["reasons"]}
        return self.resource["verdict"] in self.expected["verdicts"] and (not subjects or bool(subjects & named))


def demo(
    out: Annotated[Path, typer.Option(help="Where specimens, the service's data and overlays go.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another seed draws other people, cards and captures.")] = DEMO_SEED,
    guide: Annotated[bool, typer.Option("--guide", help="One citizen's way instead: sign-in, code, support, verdict.")] = False,
) -> None:
    """Draw specimens, start the embedded service, send them over HTTP, show the verdicts. Exit 0 only if all are as expected."""
    if guide:
        walk(out, seed)
        return
    import httpx
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    from models.specimens.make import make_demo
    from pipeline.cli.demo_hook import registered_hook
    from pipeline.cli.serve import running_service
    from pipeline.settings import Settings

    console = table_console()
    folders = make_demo(out / "specimens", seed)
    supports = [Sent(folder, folder.name, json.loads((folder / "truth.json").read_text(encoding="utf-8"))["expected"])
                for folder in folders]
    copy = Sent(folders[0], f"{folders[0].name}-again", {"verdicts": ["review"]})
    shutil.rmtree(out / SERVICE_DATA, ignore_errors=True)
    settings = Settings.model_validate({"storage": {"data_dir": out / SERVICE_DATA}, "api": {"port": 0},
                                        "delivery": {"allow_loopback": True, "retake_wait_seconds": 0}})
    with Progress(SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn(), console=console) as progress:
        starting = progress.add_task("starting the service (API, storage, Ray) …", total=None)
        with running_service(settings, log_file=out / "service.log") as service:
            progress.update(starting, total=1, completed=1, description=f"service ready at {service.url}")
            headers = {"Authorization": f"Bearer {service.secret}"}
            with httpx.Client(base_url=service.url, headers=headers, timeout=30) as client, registered_hook(client) as hook:
                send_all(client, supports, seed, progress)
                await_all(client, supports, progress)
                send_all(client, [copy], seed, progress)  # only now, since of two in flight both would go to a person
                await_all(client, [copy], progress)
                supports.append(copy)
                told = hook.wait_for({support.resource["id"] for support in supports}, HOOK_DEADLINE_S)
            stopping = progress.add_task("stopping what was started …", total=None)
        progress.update(stopping, total=1, completed=1, description="stopped")
    draw_all(supports, out / "seen")
    print_table(supports, console)
    console.print(f"look into [bold]{out / 'seen'}[/] (what was seen, drawn over what was sent) and {out / 'specimens'}")
    console.print(f"webhook: {len(hook.told)} of {len(supports)} verdicts told to a receiver, {hook.forged} wrong signatures")
    if not all(support.as_expected for support in supports):
        console.print("[red]not every verdict is as expected[/]")
        raise typer.Exit(1)
    if not told or hook.forged:
        console.print("[red]the webhook was not told every verdict: see service.log[/]")
        raise typer.Exit(1)


def walk(out: Path, seed: int) -> None:
    """`--guide`. Exit 1 where it does not end as the guide promises."""
    from pipeline.cli.guide import run_guide

    if not run_guide(out, seed):
        print("the way did not end in an accepted support from an activated phone")
        raise typer.Exit(1)


def send_all(client: httpx.Client, supports: list[Sent], seed: int, progress: Progress) -> None:
    """POST each, with an idempotency key of its own, as a backend does."""
    task = progress.add_task("sending", total=len(supports))
    for support in supports:
        parts = {path.stem: (path.name, path.read_bytes(), _media_type(path)) for path in support.folder.iterdir()
                 if path.suffix in (".jpg", ".png")}
        words = (support.folder / "support.json").read_text(encoding="utf-8")
        support.sent_at = time.monotonic()
        answer = client.post("/v1/supports", files=parts, data={"support": words},
                             headers={"Idempotency-Key": f"demo-{seed}-{support.name}-{time.time_ns()}"})
        if answer.status_code != 202:
            raise Unavailable(f"{support.folder.name}: expected 202, got {answer.status_code}: {answer.text[:300]}")
        support.location = answer.headers["Location"]
        progress.advance(task)


def await_all(client: httpx.Client, supports: list[Sent], progress: Progress) -> None:
    """Ask for each until its verdict is there."""
    task = progress.add_task("verifying", total=len(supports))
    deadline = time.monotonic() + VERDICT_DEADLINE_S
    waiting = list(supports)
    while waiting:
        if time.monotonic() > deadline:
            raise Unavailable(f"{len(waiting)} supports have no verdict after {VERDICT_DEADLINE_S} s: see service.log")
        for support in list(waiting):
            resource = client.get(support.location).raise_for_status().json()
            if resource["verdict"] is not None:
                support.resource, support.seconds = resource, time.monotonic() - support.sent_at
                waiting.remove(support)
                progress.advance(task)
        time.sleep(POLL_S)


def draw_all(supports: list[Sent], out: Path) -> None:
    from pipeline.cli.overlay import draw_overlays

    for support in supports:
        draw_overlays(read_folder(support.folder), support.resource, out / support.name)
        text = json.dumps(support.resource, indent=1, ensure_ascii=False)
        (out / support.name / "result.json").write_text(text, encoding="utf-8")


def print_table(supports: list[Sent], console: Any) -> None:
    from rich.table import Table

    table = Table(title="apoyo demo", show_lines=True)
    for column in ("apoyo", "esperado", "veredicto", "modelo", "razones", "s"):
        table.add_column(column, overflow="fold")
    for support in supports:
        resource = support.resource
        style = VERDICT_STYLES[resource["verdict"]]
        mark = "✓" if support.as_expected else "✗"
        candidates = "/".join(resource["card"]["candidates"]) if resource["card"] else ""
        table.add_row(support.name, " / ".join(support.expected["verdicts"]), f"[{style}]{resource['verdict']}[/] {mark}",
                      candidates or "–", in_spanish(resource["reasons"]), f"{support.seconds:.1f}")
    console.print(table)


def _media_type(path: Path) -> str:
    return "image/png" if path.suffix == ".png" else "image/jpeg"
