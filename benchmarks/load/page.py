"""One page from a load's raw JSON: everything inline, nothing fetched, to be opened from a disk or sent by mail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.load.histogram import shares
from benchmarks.plots import lines

STYLE = ("body{font:15px/1.5 sans-serif;max-width:860px;margin:2em auto;padding:0 1em;color:#222}svg{width:100%;height:auto}"
         "table{border-collapse:collapse;font-size:13px}td,th{border:1px solid #ccc;padding:3px 8px;text-align:right}"
         "td:first-child,th:first-child{text-align:left}")
COLUMNS = (("profile", "profile"), ("offered_a_second", "offered/s"), ("acknowledged_a_second", "acknowledged/s"),
           ("verdicts_a_second", "verdicts/s"), ("cpu_ms_a_support", "CPU ms a support"), ("drained_s", "drained, s"))


def write_page(path: Path) -> Path:
    """`load.html` beside the JSON at `path`."""
    result = json.loads(path.read_text(encoding="utf-8"))
    page = path.with_suffix(".html")
    page.write_text(html(result), encoding="utf-8")
    return page


def html(result: dict[str, Any]) -> str:
    machine = result["machine"]
    heading = (f"{result['captures']}; {result['where']}; {result['workers'] or '?'} workers; "
               f"{machine['cpu']}, {machine['cores']} cores; commit {result['commit']}; {result['made']}; seed {result['seed']}")
    steady = [step for step in result["steps"] if step["factor"] is not None]
    parts = [f"<p>{escape(heading)}. {escape(result['note'])}</p><p>Latencies count from the moment a support was meant to be "
             "sent; percentiles within 1 %.</p>",
             _facts(result), "<h2>Steps</h2>", _table(result["steps"]), _curves(steady)]
    for title, steps in (("Shapes of days", result["shapes"]), ("Overload", result["overload"])):
        if steps:
            parts += [f"<h2>{title}</h2>", _table(steps)]
            parts += [f"<h3>{escape(step['profile'])}</h3>{_timeline(step)}" for step in steps]
    parts += ["<h2>Resources, at 0.7 of the most</h2>", *(_resources(step) for step in steady if step["factor"] == 0.7)]
    return (f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Apoyo: load</title><style>{STYLE}</style>'
            f"<h1>Apoyo under load</h1>{''.join(parts)}</html>\n")


def _facts(result: dict[str, Any]) -> str:
    told = {"the most verified a second": result["most_a_second"], "scaling": result.get("scaling"), "knee": result["knee"],
            "goodput under overload": result["goodput"]}
    items = (f"<li>{escape(name)}: {escape(_said(value))}</li>" for name, value in told.items() if value is not None)
    return f"<ul>{''.join(items)}</ul>"


def _said(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in value.items() if not isinstance(one, dict))


def _table(steps: list[dict[str, Any]]) -> str:
    head = "".join(f"<th>{title}</th>" for _, title in COLUMNS) + (
        "<th>intake p50 · p99 · max ms</th><th>verdict p50 · p99 · max ms</th><th>answers</th>")
    rows = []
    for step in steps:
        cells = [str(step[name]) if step[name] is not None else "" for name, _ in COLUMNS]
        cells += [" · ".join(f"{step[what][name]:.0f}" for name in ("p50_ms", "p99_ms", "max_ms"))
                  for what in ("intake", "verdict")]
        cells.append(_said(step["answers"]))
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _curves(steps: list[dict[str, Any]]) -> str:
    """Latency and throughput against what was offered; the distributions of both latencies."""
    def against_offered(what: str, name: str) -> list[tuple[float, float]]:
        return [(step["offered_a_second"], step[what][name]) for step in steps if step[what]["count"]]

    latency = {f"verdict {name.removesuffix('_ms')}": against_offered("verdict", name) for name in ("p50_ms", "p99_ms")}
    latency |= {f"intake {name.removesuffix('_ms')}": against_offered("intake", name) for name in ("p50_ms", "p99_ms")}
    through = {"verdicts a second": [(step["offered_a_second"], step["verdicts_a_second"]) for step in steps],
               "offered": [(step["offered_a_second"], step["offered_a_second"]) for step in steps]}
    spread = {f"{what} at {step['factor']:g}": shares(step[what]) for step in steps if step["factor"] in (0.7, 1.0)
              for what in ("intake", "verdict") if step[what]["count"]}
    return (lines(latency, "latency, ms, against supports offered a second", "offered/s", "ms", log=True)
            + lines(through, "verdicts against supports offered a second", "offered/s", "verdicts/s")
            + lines({name: [(share, ms) for ms, share in points] for name, points in spread.items()},
                    "distribution of latencies", "share of supports", "ms", log=True))


def _timeline(step: dict[str, Any]) -> str:
    curves = {name: [(at + 0.5, float(count)) for at, count in enumerate(counts)] for name, counts in step["by_second"].items()}
    return lines(curves, f"{step['profile']}: supports by second", "s", "a second")


def _resources(step: dict[str, Any]) -> str:
    groups = sorted({group for look in step["looks"] for group in look} - {"at", "waiting", "open"})
    memory = {group: [(look["at"], look[group]["rss_mb"]) for look in step["looks"] if group in look] for group in groups}
    cpu = {group: [(after["at"], (after[group]["cpu_s"] - before[group]["cpu_s"]) / max(after["at"] - before["at"], 0.1))
                   for before, after in zip(step["looks"], step["looks"][1:], strict=False) if group in before and group in after]
           for group in groups}
    return (lines(cpu, "cores used, by part of the service", "s", "cores")
            + lines(memory, "resident memory, MB, by part of the service", "s", "MB"))
