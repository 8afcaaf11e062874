"""`apoyo re-examine`: chosen supports judged again by the weights, thresholds and rules of now, beside their verdicts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.domain.support import State
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.reexamine import Compared

CHANGED = 1
"""Exit code where a verdict would be another now, as of `diff`; 2 is for what cannot be used."""
PAGE = 200


def re_examine_command(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of supports; none: those that the options choose.")] = None,
    process: Annotated[str | None, typer.Option(help="Of this process.")] = None,
    state: Annotated[State | None, typer.Option(help="In this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    kept_policy: Annotated[bool, typer.Option(help="By the rules that each was judged by, not the newest.")] = False,
    out: Annotated[Path | None, typer.Option(help="One JSON object a line goes there, instead of sentences.")] = None,
) -> None:
    """Judge chosen supports again, and say what would differ now. No verdict changes; the trail tells of each."""
    from rich.progress import track

    from pipeline.errors import ApoyoError
    from pipeline.records.storage import open_storage
    from pipeline.wiring import reexaminer

    settings = Settings.load()
    chosen = list(ids or _newest(open_storage(settings.storage).engine, process, state, limit))
    again = reexaminer(settings, "command:re-examine", kept_policy=kept_policy)
    counts: Counter[str] = Counter()
    lines: list[dict[str, Any]] = []
    for support_id in track(chosen, "judging again", transient=True, disable=not sys.stderr.isatty()):
        try:
            line = as_json(again.compare(support_id))
        except ApoyoError as error:  # one that cannot be judged does not stop the others
            line = {"id": support_id, "error": {"code": error.code, "detail": error.detail}}
        counts["not judged" if "error" in line else "changed" if line["changed"] else "the same"] += 1
        lines.append(line)
        if out is None:
            typer.echo(_sentence(line))
    if out is not None:
        out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    typer.echo(f"{len(chosen)} supports: {said or 'none chosen'}")
    if counts["changed"]:
        raise typer.Exit(CHANGED)


def as_json(compared: Compared) -> dict[str, Any]:
    """Ids, codes and digests: nothing that was read from a card."""
    sides = {name: {"verdict": side.outcome, "reasons": list(side.reasons), "policy_version": side.policy_version}
             for name, side in (("before", compared.before), ("now", compared.now))}
    checks = {name: {"before": before, "now": now} for name, (before, now) in compared.checks.items()}
    return {"id": compared.support_id, "round": compared.round, "changed": compared.changed, **sides, "checks": checks,
            "other_networks": compared.networks, "other_versions": compared.versions}


def _sentence(line: dict[str, Any]) -> str:
    if "error" in line:
        return f"{line['id']}  {line['error']['code']}: {line['error']['detail']}"
    before, now = line["before"], line["now"]
    if not line["changed"]:
        return f"{line['id']}  {now['verdict']}"
    return (f"{line['id']}  {before['verdict']} ({', '.join(before['reasons']) or 'no reason'}) → "
            f"{now['verdict']} ({', '.join(now['reasons']) or 'no reason'})")


def _newest(engine: Any, process: str | None, state: State | None, limit: int) -> Iterator[str]:
    from pipeline.records.listing import Wanted, list_supports

    before: str | None = None
    while limit > 0 and (page := list_supports(engine, Wanted(None, state, process), before=before, limit=min(PAGE, limit))):
        yield from (one.id for one in page if one.verdict is not None)
        before, limit = page[-1].id, limit - len(page)
