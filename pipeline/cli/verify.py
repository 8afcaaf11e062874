"""`apoyo verify DIR…`: the same `examine` and `decide` as the service, in one process, without a server."""

from __future__ import annotations

import json
import sys
import traceback
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.domain.capture import Capture, Part
from pipeline.domain.process import DEMO_PROCESS, Process
from pipeline.domain.reasons import REVIEWED
from pipeline.domain.support import SupportInfo
from pipeline.errors import ApoyoError, BadInput, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.domain.calibration import Calibration
    from pipeline.domain.evidence import Fingerprints
    from pipeline.networks.api import Networks

UNBOUND_WIDTH = 132
VERDICT_STYLES = {"accepted": "green", "retake": "yellow", "review": "cyan", "rejected": "red"}


def verify(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders with front.*, back.*, selfie.*, signature.*")],
    process: Annotated[str, typer.Option(help="The process whose policy judges: demo, or a TOML file.")] = DEMO_PROCESS.id,
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="Judge vigencia as of this day (default: support.json's, "
                                                                   "else the day of capture, else today).")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line instead of the table.")] = False,
    overlays: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw what was seen into this folder.")] = None,
    reuse: Annotated[bool, typer.Option("--reuse", help="Look for copies among the folders given before each.")] = False,
) -> None:
    """Verify supports that lie in folders. Exit code 0 whatever the verdicts; 2 for unusable arguments."""
    policy = known_process(process)
    day = parse_day(as_of)
    missing = [str(folder) for folder in dirs if not folder.is_dir()]
    if missing:
        raise BadInput(f"no such folder: {missing[0]}; give folders that hold front.*, back.*, selfie.* and signature.*")
    from models.registry import load_calibration
    from pipeline.wiring import local_networks

    networks, calibration = local_networks(), load_calibration()
    before: list[tuple[Fingerprints, str | None]] | None = [] if reuse else None
    rows = []
    for folder in dirs:
        result = judge_folder(folder, policy, day, networks, calibration, overlays, before)
        if jsonl:
            typer.echo(json.dumps(result, ensure_ascii=False))
        else:
            rows.append(result)
    if rows:
        print_table(rows)


def judge_folder(folder: Path, policy: Process, day: date | None, networks: Networks, calibration: Calibration,
                 overlays: Path | None, before: list[tuple[Fingerprints, str | None]] | None = None) -> dict[str, Any]:
    """The resource of one folder; a fault of this support becomes its `error` and stops no other.

    before: among which copies are looked for, each with its applicant; this support is added. None: copies are not looked for.
    """
    from models.registry import load_templates
    from pipeline.clock import day_of_capture
    from pipeline.decide import decide
    from pipeline.domain.context import Context
    from pipeline.domain.reuse import Limits, reuse_among
    from pipeline.result import Heading, support_resource
    from pipeline.verify import examine

    try:
        capture = read_folder(folder)
        evidence = examine(capture, networks, calibration, load_templates())
        as_of = day or capture.info.as_of or day_of_capture(capture.info.captured_at)
        context = Context(capture.info, policy, calibration, as_of)
        if before is not None:
            mine = evidence.fingerprints, capture.info.applicant
            context = replace(context, reuse=reuse_among(*mine, before, Limits.of(calibration)))
            before.append(mine)
        verdict = decide(evidence, context)
        heading = Heading(str(uuid.uuid5(uuid.NAMESPACE_URL, folder.resolve().as_uri())), str(folder), 1, datetime.now(UTC))
        resource = support_resource(heading, evidence, verdict, context)
        if overlays is not None:
            from pipeline.cli.overlay import draw_overlays

            draw_overlays(capture, resource, overlays / folder.name)
        return resource
    except ApoyoError as error:
        return {"source": str(folder), "error": {"code": error.code, "detail": error.detail}}
    except Exception as error:  # noqa: BLE001 - a defect met by one support must not stop the others; it is shown in full
        traceback.print_exc()
        return {"source": str(folder), "error": {"code": "unexpected", "detail": type(error).__name__}}


def read_folder(folder: Path) -> Capture:
    """The four parts and the support's words. A missing picture is None; a broken support.json is an error."""
    info = SupportInfo()
    words = folder / "support.json"
    if words.is_file():
        info = SupportInfo.parse(words.read_bytes())
    front, back, selfie, signature = (_part(folder, part) for part in Part)
    return Capture(front, back, selfie, signature, info)


def _part(folder: Path, part: Part) -> bytes | None:
    found = sorted(path for path in folder.glob(f"{part}.*") if path.is_file())
    return found[0].read_bytes() if found else None


def known_process(name: str) -> Process:
    """The built-in process, or the one in a TOML file: without a server no other is known. Raises `NotFound`, `BadInput`."""
    if name == DEMO_PROCESS.id:
        return DEMO_PROCESS
    if not name.endswith(".toml"):
        raise NotFound(f"no process {name!r}: without a server only {DEMO_PROCESS.id!r} is known, or a TOML file")
    from pipeline.records.processes import read_process_file

    written = read_process_file(Path(name))
    return written.process(f"{written.id}-not-applied")


def parse_day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput("--as-of wants a date as 2026-11-24") from error


def in_spanish(reasons: list[dict[str, Any]]) -> str:
    """The citizen's sentences, one a line, none twice; what all of a review say at their end is said once."""
    messages = list(dict.fromkeys(reason["message"] for reason in reasons))
    if len(messages) > 1 and all(message.endswith(REVIEWED) for message in messages):
        messages = [*(message.removesuffix(REVIEWED).strip() for message in messages), REVIEWED]
    return "\n".join(messages)


def print_table(results: list[dict[str, Any]]) -> None:
    """For people: one row a support."""
    from rich.table import Table

    table = Table(title="apoyo verify")
    for column in ("apoyo", "modelo", "veredicto", "razones", "ms"):
        table.add_column(column, overflow="fold")
    for result in results:
        name = Path(result["source"]).name
        if "error" in result:
            table.add_row(name, "", "[red]error[/]", f"{result['error']['code']}: {result['error']['detail']}", "")
            continue
        style = VERDICT_STYLES[result["verdict"]]
        reasons = in_spanish(result["reasons"])
        total = sum(result["timings_ms"].values())
        candidates = "/".join(result["card"]["candidates"]) or "–"
        table.add_row(name, candidates, f"[{style}]{result['verdict']}[/]", reasons, f"{total:.0f}")
    table_console().print(table)


def table_console() -> Console:
    """Where tables with sentences go: a terminal as wide as it is; a pipe or a log, which has no width, as wide as they need."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else UNBOUND_WIDTH)
