"""`apoyo verify DIR…`: the same `examine` and `decide` as the service, in one process, without a server."""

from __future__ import annotations

import json
import sys
import traceback
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture, Part
from pipeline.domain.process import DEMO_PROCESS, Process
from pipeline.domain.reasons import REVIEWED
from pipeline.domain.support import SupportInfo
from pipeline.errors import ApoyoError, BadInput, NotFound
from pipeline.packs import SUFFIX

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.domain.context import Context
    from pipeline.domain.evidence import Evidence, Fingerprints
    from pipeline.networks.api import Networks
    from pipeline.result import Heading

UNBOUND_WIDTH = 132
VERDICT_STYLES = {"accepted": "green", "retake": "yellow", "review": "cyan", "rejected": "red"}


def verify(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders with front.*, back.*, selfie.*, signature.*; or "
                                                                    "evidence packs, judged again as they were.")],
    process: Annotated[str, typer.Option(help="The process whose policy judges: demo, or a TOML file.")] = DEMO_PROCESS.id,
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="Judge vigencia as of this day (default: support.json's, "
                                                                   "else the day of capture, else today).")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line instead of the table.")] = False,
    overlays: Annotated[Path | None, typer.Option(metavar="OUT", help="Draw what was seen into this folder.")] = None,
    packs: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a signed evidence pack of each there.")] = None,
    reuse: Annotated[bool, typer.Option("--reuse", help="Look for copies among the folders given before each.")] = False,
) -> None:
    """Verify supports that lie in folders, or in evidence packs. Exit code 0 whatever the verdicts; 2 for unusable arguments."""
    policy = known_process(process)
    day = parse_day(as_of)
    missing = [str(given) for given in dirs if not given.exists()]
    if missing:
        raise BadInput(f"no such folder or pack: {missing[0]}; give folders that hold front.*, back.*, selfie.* and signature.*, "
                       "or evidence packs")
    from models.registry import load_calibration
    from pipeline.wiring import local_networks

    desk = Desk(policy, day, local_networks(), load_calibration(), overlays, packs, [] if reuse else None)
    rows = []
    for given in dirs:
        result = desk.judge(given)
        if jsonl:
            typer.echo(json.dumps(result, ensure_ascii=False))
        else:
            rows.append(result)
    if rows:
        print_table(rows)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all supports of one command are judged by, and where what is made of them goes.

    before: among which copies are looked for, each with its applicant; each support is added. None: copies are not looked for.
    """

    policy: Process
    day: date | None
    networks: Networks
    calibration: Calibration
    overlays: Path | None = None
    packs: Path | None = None
    before: list[tuple[Fingerprints, str | None]] | None = None

    def judge(self, given: Path) -> dict[str, Any]:
        """The resource of one folder or pack; a fault of this support becomes its `error` and stops no other."""
        try:
            return self._pack(given) if given.is_file() else self._folder(given)
        except ApoyoError as error:
            return {"source": str(given), "error": {"code": error.code, "detail": error.detail}}
        except Exception as error:  # noqa: BLE001 - a defect met by one support must not stop the others; it is shown in full
            traceback.print_exc()
            return {"source": str(given), "error": {"code": "unexpected", "detail": type(error).__name__}}

    def _folder(self, folder: Path) -> dict[str, Any]:
        from pipeline.clock import day_of_capture
        from pipeline.domain.context import Context
        from pipeline.domain.reuse import Limits, reuse_among
        from pipeline.result import Heading

        capture = read_folder(folder)
        evidence = self._examine(capture, self.calibration)
        as_of = self.day or capture.info.as_of or day_of_capture(capture.info.captured_at)
        context = Context(capture.info, self.policy, self.calibration, as_of)
        if self.before is not None:
            mine = evidence.fingerprints, capture.info.applicant
            context = replace(context, reuse=reuse_among(*mine, self.before, Limits.of(self.calibration)))
            self.before.append(mine)
        heading = Heading(str(uuid.uuid5(uuid.NAMESPACE_URL, folder.resolve().as_uri())), str(folder), 1, datetime.now(UTC))
        resource = self._decided(heading, capture, evidence, context, folder.name)
        if self.packs is not None:
            words = folder / "support.json"
            info = words.read_bytes() if words.is_file() else b"{}"
            packed(capture, info, resource, context, self.packs / f"{folder.name}{SUFFIX}")
        return resource

    def _pack(self, path: Path) -> dict[str, Any]:
        """By what the pack froze, whatever the options say; `pack` tells whether the verdict is the one that was signed."""
        from pipeline.packs.file import read_pack
        from pipeline.result import Heading

        pack = read_pack(path)
        # what this version measures beyond the pack's has no threshold there
        calibration = Calibration({**self.calibration.thresholds, **pack.frozen.calibration.thresholds})
        evidence = self._examine(pack.capture, calibration)
        heading = Heading(pack.frozen.id, str(path), pack.frozen.round, pack.frozen.received_at)
        context = replace(pack.frozen.context(pack.capture.info), calibration=calibration)
        resource = self._decided(heading, pack.capture, evidence, context, path.stem)
        networks = {**pack.frozen.networks, **evidence.networks}
        others = [name for name, digest in networks.items() if pack.frozen.networks.get(name) != digest]
        same = all(resource[name] == pack.verdict.get(name) for name in ("verdict", "reasons"))
        return {**resource, "pack": {"signed_by": pack.signed_by, "same_verdict": same, "other_networks": sorted(others)}}

    def _examine(self, capture: Capture, calibration: Calibration) -> Evidence:
        from models.registry import load_templates
        from pipeline.verify import examine

        return examine(capture, self.networks, calibration, load_templates())

    def _decided(self, heading: Heading, capture: Capture, evidence: Evidence, context: Context, name: str) -> dict[str, Any]:
        from pipeline.decide import decide
        from pipeline.result import support_resource

        resource = support_resource(heading, evidence, decide(evidence, context), context)
        if self.overlays is not None:
            from pipeline.cli.overlay import draw_overlays

            draw_overlays(capture, resource, self.overlays / name)
        return resource


def packed(capture: Capture, info: bytes, resource: dict[str, Any], context: Context, path: Path) -> None:
    """Writes an evidence pack. info: support.json as it came. Raises `Misconfigured` where the signing key is not private."""
    from pipeline.packs.file import signing_key, write_pack
    from pipeline.packs.frozen import FORMAT, Frozen
    from pipeline.packs.pictures import pictures_of
    from pipeline.settings import Settings

    received = datetime.fromisoformat(resource["received_at"])
    frozen = Frozen(FORMAT, resource["id"], context.round, received, context.as_of, context.policy, context.reuse, context.roll,
                    context.device, context.activated, context.calibration, resource["networks"], {})
    key = signing_key(Settings.load().storage.pack_key_file)
    write_pack(path, frozen, capture, info, resource, pictures_of(capture, resource), key)


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
        if "pack" in result:
            reasons = "\n".join(filter(None, (reasons, _of_pack(result["pack"]))))
        total = sum(result["timings_ms"].values())
        candidates = "/".join(result["card"]["candidates"]) or "–"
        table.add_row(name, candidates, f"[{style}]{result['verdict']}[/]", reasons, f"{total:.0f}")
    table_console().print(table)


def _of_pack(told: dict[str, Any]) -> str:
    verdict = "el mismo resultado que el firmado" if told["same_verdict"] else "OTRO resultado que el firmado"
    others = f"; otras redes: {', '.join(told['other_networks'])}" if told["other_networks"] else ""
    return f"[paquete íntegro, llave {told['signed_by'][:16]}: {verdict}{others}]".replace("[", "\\[")


def table_console() -> Console:
    """Where tables with sentences go: a terminal as wide as it is; a pipe or a log, which has no width, as wide as they need."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else UNBOUND_WIDTH)
