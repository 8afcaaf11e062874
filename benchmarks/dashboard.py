"""`python -m benchmarks.dashboard` (`make dashboard`): k8s/dashboards/apoyo.json as it looks over a real load.

A real Prometheus scrapes the embedded service every second while supports arrive as on a short day, then in a burst, and some are
refused at the door. Then each panel's own expressions are asked for, and drawn where the dashboard has them: docs/dashboard.svg.
Needs Prometheus' server (Debian's package `prometheus`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import httpx
from anyio import to_thread

from benchmarks.plots import Points, lines, said
from benchmarks.report import write
from pipeline.errors import Misconfigured
from pipeline.settings import available_cores

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD, DRAWN = ROOT / "k8s" / "dashboards" / "apoyo.json", ROOT / "docs" / "dashboard.svg"
RATE_INTERVAL, STEP_SECONDS = "15s", 2
"""What Grafana puts in the place of `$__rate_interval`: some scrapes; and how far points are apart."""
START_SECONDS = 60.0
"""For Prometheus, which takes less than one: a bound on what is broken."""
DAY_SECONDS, BURST_SECONDS = 120.0, 40.0
SEED = 20_261_127
COLUMN, ROW, TITLE = 62, 34, 40
"""Pixels of one of the grid's 24 columns, of one of its rows, and of the heading."""
Series = Mapping[str, Points]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard", description=__doc__)
    parser.add_argument("--seconds", type=float, default=DAY_SECONDS, help="how long the day is")
    wanted = parser.parse_args()
    from benchmarks.load.arrivals import daily, sync_burst
    from pipeline.cli.bench_load import Captures, draw, embedded, with_runner

    folders, cores = draw(Captures.APP), available_cores()
    with embedded(cores, 16) as place, scraping(place.url) as prometheus:
        began = time.time()

        async def run(runner: Any) -> None:
            await runner.run(daily(1.5 * cores, wanted.seconds), SEED)
            await to_thread.run_sync(_refused, place.url, place.secret)
            await runner.run(sync_burst(cores, BURST_SECONDS, 20 * cores), SEED + 1)

        _refused(place.url, place.secret)  # a count that begins shows no rate: only what is added to it does
        with_runner(place, folders, run)
        time.sleep(3 * STEP_SECONDS)
        panels = asked(json.loads(DASHBOARD.read_text(encoding="utf-8")), prometheus, began, time.time())
    DRAWN.write_text(drawing(panels), encoding="utf-8")
    empty = [panel["title"] for panel in panels if not any(panel["series"].values())]
    counted = [{"title": panel["title"], "points": {name: len(points) for name, points in panel["series"].items()}}
               for panel in panels]
    write("dashboard", {"seconds": wanted.seconds, "panels": counted})
    print(f"{DRAWN}: {len(panels)} panels" + (f", without data here: {', '.join(empty)}" if empty else ""))
    return 0


@contextmanager
def scraping(url: str) -> Iterator[str]:
    """A Prometheus that scrapes the service there every second, while the block runs: its own address. Raises `Misconfigured`."""
    from pipeline.cli.serve import free_port

    server = shutil.which("prometheus")
    if server is None:
        raise Misconfigured("there is no `prometheus` on the PATH: install Debian's package of that name", code="no_prometheus")
    with tempfile.TemporaryDirectory(prefix="apoyo-prometheus-") as folder:
        target = url.removeprefix("http://")
        settings = {"global": {"scrape_interval": "1s"}, "scrape_configs": [
            {"job_name": "apoyo", "static_configs": [{"targets": [target]}]}]}
        (Path(folder) / "prometheus.yml").write_text(json.dumps(settings), encoding="utf-8")  # YAML takes JSON
        port = free_port("127.0.0.1", 0)
        process = subprocess.Popen(
            [server, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _until_ready(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _until_ready(prometheus: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(httpx.TransportError):
            if httpx.get(f"{prometheus}/-/ready").is_success:
                return
        time.sleep(0.05)
    raise RuntimeError("Prometheus does not start")


def _refused(url: str, secret: str) -> None:
    """Some that the door refuses, so that this shows too."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=30) as client:
        for number in range(6):
            client.post("/v1/supports", files={"front": ("front", b"no picture" * (number % 2))},
                        headers={"Idempotency-Key": f"refused-{number}"})


def asked(dashboard: Mapping[str, Any], prometheus: str, began: float, ended: float) -> list[dict[str, Any]]:
    """The dashboard's panels, each with the series of its expressions: seconds since `began`, and values."""
    panels = []
    with httpx.Client(base_url=prometheus, timeout=30) as client:
        for panel in dashboard["panels"]:
            series: dict[str, Points] = {}
            for target in panel.get("targets", ()):
                answer = client.get("/api/v1/query_range", params={
                    "query": target["expr"].replace("$__rate_interval", RATE_INTERVAL), "start": began, "end": ended,
                    "step": STEP_SECONDS})
                for found in answer.raise_for_status().json()["data"]["result"]:
                    points = [(at - began, float(value)) for at, value in found["values"] if value not in ("NaN", "+Inf")]
                    series[_legend(target["legendFormat"], found["metric"])] = points
            panels.append({"title": panel["title"], "type": panel["type"], "at": panel["gridPos"], "series": series,
                           "unit": panel["fieldConfig"]["defaults"].get("unit", "")})
    return panels


def _legend(form: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace("{{" + name + "}}", value)
    return form


def drawing(panels: list[dict[str, Any]]) -> str:
    """One SVG, each panel where the dashboard has it; what has no data says so."""
    width = 24 * COLUMN
    height = TITLE + ROW * max(panel["at"]["y"] + panel["at"]["h"] for panel in panels)
    heading = '<text x="12" y="26" font-size="20">Apoyo over a short day and a burst, scraped every second</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif">'
            f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>{heading}{"".join(map(_panel, panels))}</svg>\n')


def _panel(panel: Mapping[str, Any]) -> str:
    at = panel["at"]
    x, y, wide, high = at["x"] * COLUMN, TITLE + at["y"] * ROW, at["w"] * COLUMN, at["h"] * ROW
    box = f'x="{x + 3}" y="{y + 3}" width="{wide - 6}" height="{high - 6}"'
    frame = f'<rect {box} fill="white" stroke="#d5d5d5"/>'
    curves = {name: points for name, points in panel["series"].items() if points}
    if curves and panel["type"] != "stat":
        return frame + lines(curves, panel["title"], "s", panel["unit"]).strip().replace("<svg ", f"<svg {box} ", 1)
    text, size, colour = (_last(panel), 34, "#2a7f62") if curves else ("no data in this run", 16, "#999")
    return (f'{frame}<text x="{x + 14}" y="{y + 26}" font-size="14">{escape(panel["title"])}</text>'
            f'<text x="{x + wide / 2}" y="{y + high / 2 + 18}" font-size="{size}" text-anchor="middle" fill="{colour}">'
            f"{escape(text)}</text>")


def _last(panel: Mapping[str, Any]) -> str:
    values = [points[-1][1] for points in panel["series"].values() if points]
    return " · ".join(f"{said(value)}{' s' if panel['unit'] == 's' else ''}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
