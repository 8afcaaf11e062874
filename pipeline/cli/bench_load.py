"""`apoyo bench load`: supports that arrive whatever the service does, against a service of its own or any other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.bench import CACHE, PHOTO_12_MP, SEED_STAGES
from pipeline.cli.serve import free_port
from pipeline.settings import Settings, available_cores

if TYPE_CHECKING:
    from benchmarks.load.plan import Lengths
    from benchmarks.load.run import Step

CAPTURES = 12
"""Supports that are drawn; each is sent again in another process, where it is nobody's copy."""
PHOTO_APP = 2000
"""Long side of a photograph as a good app sends it."""
SEED_LOAD = 31_337
MOST_PROCESSES = 600
DEFAULT_PROCESS = "demo"
EMBEDDED, OTHER = "embedded: SQLite, a folder, Ray; the client beside it", "another deployment"


class Captures(StrEnum):
    """What is sent."""

    LARGE = "12mp"
    APP = "2000px"


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment to load. mark: found in the environment of its processes where they are on this machine, else empty."""

    url: str
    secret: str
    processes: tuple[str, ...]
    mark: str


def draw(captures: Captures) -> list[Path]:
    from models.specimens.make import make_specimens

    side = PHOTO_12_MP if captures is Captures.LARGE else PHOTO_APP
    seed = SEED_STAGES + (captures is Captures.APP)
    return make_specimens(CACHE / captures.value, CAPTURES, seed, "normal", ("good",), long_side=side)


def load(
    quick: Annotated[bool, typer.Option(help="Three minutes: no shapes of days, shorter steps.")] = False,
    captures: Annotated[Captures, typer.Option(help="Photographs of 12 MP, or as a good app sends them.")] = Captures.LARGE,
    workers: Annotated[int, typer.Option(help="Of the service that is started; 0: one a core.")] = 0,
    against: Annotated[str, typer.Option(help="URL of a deployment to load instead. It keeps what is sent.")] = "",
    secret_file: Annotated[Path | None, typer.Option(help="Its client's secret.")] = None,
    process: Annotated[list[str] | None, typer.Option(help="Its processes to send to; with one, most are copies.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other arrivals.")] = SEED_LOAD,
    note: Annotated[str, typer.Option(help="Said on the page: what else the machine did meanwhile.")] = "",
    out: Annotated[Path, typer.Option(help="Where the JSON and the page go.")] = Path("benchmarks/results"),
) -> None:
    """The knee, latencies of intake and verdict, CPU a support, overload. Writes load.json and load.html."""
    from benchmarks.load import plan
    from benchmarks.load.page import write_page
    from benchmarks.report import write

    lengths = plan.QUICK if quick else plan.WHOLE
    folders = draw(captures)
    count = workers or available_cores()
    result: dict[str, Any] = {"quick": quick, "captures": captures.value, "workers": None if against else count, "seed": seed,
                              "where": OTHER if against else EMBEDDED, "note": note}
    if against:
        if secret_file is None:
            raise typer.BadParameter("give --secret-file too: the client's secret of that deployment")
        place = Place(against, secret_file.read_text().strip(), tuple(process or (DEFAULT_PROCESS,)), "")
        found = _measured(place, folders, lengths, seed)
    else:
        enough = -(-plan.expected_supports(lengths, count) // CAPTURES)
        if count > 1:
            with embedded(1, 2 + int(plan.FLOOD_RATE * lengths.flood / CAPTURES)) as place:
                alone, flood = _most(place, folders, lengths, seed)
        with embedded(count, min(enough, MOST_PROCESSES)) as place:
            found = _measured(place, folders, lengths, seed)
        if count > 1:
            result["scaling"] = {"workers": count, "efficiency": round(found.most / (count * alone), 3),
                                 "one_worker_a_second": round(alone, 2), "all_workers_a_second": round(found.most, 2),
                                 "one_worker": flood}
    result |= {"most_a_second": round(found.most, 2), "knee": plan.knee(found), "goodput": plan.goodput(found), **asdict(found)}
    path = write("load", result, out)
    print_load(result)
    typer.echo(f"raw: {path}; page: {write_page(path)}")


def intake(
    count: Annotated[int, typer.Option(help="Supports.")] = 200,
    captures: Annotated[Captures, typer.Option(help="Photographs of 12 MP, or as a good app sends them.")] = Captures.LARGE,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """CPU that the API takes to take a support in, beside what it takes to hash and seal its bytes: into a folder, into an S3
    store (a SeaweedFS of its own), and where the client puts the pictures there itself."""
    from benchmarks.chaos.servers import S3Server, bucket_of
    from benchmarks.intake import measure_intake, necessary
    from benchmarks.report import write

    folders = draw(captures)
    result: dict[str, Any] = {"captures": captures.value, **necessary(folders), "ways": {}}
    for way, in_s3, past in (("folder", False, False), ("s3", True, False), ("past the api", True, True)):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="apoyo-intake-", dir=_made(CACHE)))
            place = bucket_of(stack.enter_context(S3Server())) if in_s3 else {}  # a new one: its room is small
            settings = Settings.model_validate({
                "storage": {"data_dir": folder, **place},
                "api": {"port": free_port("127.0.0.1", 0), "requests_a_minute": 1_000_000}})
            figures = measure_intake(settings, folders, count, past_the_api=past)
        result["ways"][way] = figures
        typer.echo(f"{way}: {figures['cpu_ms']} ms of the API's CPU a support of {figures['body_bytes'] / 1e6:.1f} MB; "
                   f"{figures['intake']['p50_ms']} ms (p50) one after another")
    typer.echo(f"to hash {result['hashing_ms']} ms, to seal {result['sealing_ms']} ms\nraw: {write('intake', result, out)}")


@contextmanager
def embedded(workers: int, processes: int, **api: int) -> Iterator[Place]:
    """A service of this machine while the block runs, on empty storage that goes with it."""
    from pipeline.cli.serve import running_service
    from pipeline.records.processes import ProcessFile, apply_process
    from pipeline.records.storage import open_storage

    folder = Path(tempfile.mkdtemp(prefix="apoyo-load-", dir=_made(CACHE)))
    try:
        settings = Settings.model_validate({
            "storage": {"data_dir": folder}, "api": {"port": 0, "requests_a_minute": 1_000_000, **api},
            "worker": {"count": workers}, "delivery": {"allow_loopback": True, "retake_wait_seconds": 0}})
        storage = open_storage(settings.storage)
        names = tuple(f"load-{number:04}" for number in range(processes))
        for name in names:
            apply_process(storage.engine, ProcessFile(id=name))
        storage.engine.dispose()
        with running_service(settings) as service:
            yield Place(service.url, service.secret, names, str(settings.storage.data_dir))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _measured(place: Place, folders: list[Path], lengths: Lengths, seed: int) -> Any:
    from benchmarks.load.plan import measure_all

    return with_runner(place, folders, lambda runner: measure_all(runner, lengths, seed))


def _most(place: Place, folders: list[Path], lengths: Lengths, seed: int) -> tuple[float, dict[str, Any]]:
    from benchmarks.load.plan import measure_most

    most, flood = with_runner(place, folders, lambda runner: measure_most(runner, lengths, seed))
    return most, flood


def with_runner(place: Place, folders: list[Path], do: Any, look_seconds: float = 1.0) -> Any:
    """What `do(runner)` comes to, with a client, an ear for verdicts, and the present step shown."""
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from benchmarks.load.bodies import Stock
    from benchmarks.load.client import Client
    from benchmarks.load.processes import ServiceProcesses
    from benchmarks.load.run import Runner
    from benchmarks.load.verdicts import by_listing, by_webhook

    stock, client = Stock(folders, place.processes), Client(place.url, place.secret)
    with Progress(SpinnerColumn(), TextColumn("{task.description}")) as progress:
        task = progress.add_task(f"sending to {place.url} …", total=None)
        runner = Runner(client, stock, ServiceProcesses(place.mark) if place.mark else None,
                        lambda step, at: progress.update(task, description=_line(step, at)), look_seconds)

        async def run() -> Any:
            ear: AbstractAsyncContextManager[None] = by_listing(client, runner.on_verdict, runner.oldest_waiting)
            if place.mark:
                ear = by_webhook(client, runner.on_verdict)
            async with ear:
                return await do(runner)

        return asyncio.run(run())


def _line(step: Step, at: float) -> str:
    counts = {name: by_second.total() for name, by_second in step.seconds.items()}
    return (f"{step.profile.name}: {at:.0f} of {step.profile.seconds:.0f} s, {counts['offered']} offered, "
            f"{counts['acknowledged']} acknowledged (p99 {1000 * step.intake.percentile(99):.0f} ms), "
            f"{counts['refused']} refused, {counts['verdicts']} verdicts (p99 {step.verdict.percentile(99):.1f} s)")


def print_load(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"load, {result['captures']}, {result['where']}")
    for column in ("profile", "offered/s", "acknowledged/s", "refused", "verdicts/s", "intake p50 · p99 ms",
                   "verdict p50 · p99 ms", "CPU ms a support", "cores of others"):
        table.add_column(column)
    for step in [*result["steps"], *result["shapes"], *result["overload"]]:
        refused = sum(step["answers"].get(status, 0) for status in ("429", "503"))
        table.add_row(step["profile"], str(step["offered_a_second"]), str(step["acknowledged_a_second"]), str(refused),
                      str(step["verdicts_a_second"]),
                      *(f"{step[what]['p50_ms']:.0f} · {step[what]['p99_ms']:.0f}" for what in ("intake", "verdict")),
                      str(step["cpu_ms_a_support"]), _beside(step))
    console = Console(width=max(150, Console().width))
    console.print(table)
    told = {name: result.get(name) for name in ("most_a_second", "scaling", "knee", "goodput")}
    if told["scaling"]:
        told["scaling"] = {name: value for name, value in told["scaling"].items() if name != "one_worker"}
    console.print(told)


def _beside(step: dict[str, Any]) -> str:
    """What others had of the machine meanwhile: with much of it, nothing here is a measure of speed."""
    seconds = step["seconds"] + (step["drained_s"] or 0.0)
    found = step["cpu_s_beside"]
    return " + ".join(f"{found[name] / seconds:.2f} {name}" for name in ("others", "stolen") if name in found)
