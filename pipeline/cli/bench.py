"""`apoyo bench stages` and `apoyo bench accuracy`: figures anyone can make again, raw JSON kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

bench = typer.Typer(no_args_is_help=True, help="Measure: stages (CPU, memory, beside a naive glue) and accuracy (error rates).")
CACHE = Path(".cache/bench")
PHOTO_12_MP = 4000
"""Long side of a 12-megapixel photograph (4000 x 3000)."""
COUNT_STAGES = 30
SEED_STAGES, SEED_ACCURACY, SEED_CARDS, SEED_READING = 20_261, 77_001, 88_002, 99_003
"""Apart from every seed that training and calibration draw from."""


class SeverityChoice(StrEnum):
    EASY = "easy"
    NORMAL = "normal"
    HARD = "hard"
    ALL = "all"


@bench.command()
def stages(
    count: Annotated[int, typer.Option(help="Supports of 12 MP.")] = COUNT_STAGES,
    passes: Annotated[int, typer.Option(help="Counted passes over them, after one that warms up.")] = 3,
    naive: Annotated[bool, typer.Option(help="Run the naive glue on the same files.")] = True,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """CPU a stage and a support, supports a second and core, memory; beside the naive glue."""
    from benchmarks.report import write
    from benchmarks.stages import run_stages
    from models.specimens.make import make_specimens

    folders = make_specimens(CACHE / "12mp", count, SEED_STAGES, "normal", ("good",), long_side=PHOTO_12_MP)
    result = run_stages(folders, passes, naive, typer.echo)
    path = write("stages", result, out)
    print_stages(result["summary"])
    typer.echo(f"raw: {path}")


@bench.command()
def peers(
    count: Annotated[int, typer.Option(help="Supports of 12 MP.")] = 12,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """What others make of the same captures: CPU, memory, what each got right. `pip install verifyface` for one of them."""
    from benchmarks.peers import run_peers
    from benchmarks.report import write
    from models.specimens.make import make_specimens

    mixture = ("good", "good", "good", "other_face")
    folders = make_specimens(CACHE / "peers", count, SEED_STAGES, "normal", mixture, long_side=PHOTO_12_MP)
    typer.echo(f"raw: {write('peers', run_peers(folders, typer.echo), out)}")


@bench.command()
def faces(
    laps: Annotated[int, typer.Option(help="Counted laps, after three that warm up.")] = 100,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """CPU on one thread to detect, align, embed and compare portrait and selfie."""
    from benchmarks.faces import measure_faces
    from benchmarks.report import write

    result = measure_faces(laps)
    for name, row in result["cpu_ms"].items():
        typer.echo(f"{name:18} median {row['median']:7.2f} ms, p90 {row['p90']:7.2f} ms")
    typer.echo(f"raw: {write('faces_cost', result, out)}")


@bench.command()
def memory(
    supports: Annotated[int, typer.Option(help="How many supports one process examines.")] = 2000,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Resident memory of one process over many supports."""
    from benchmarks.memory import measure_memory
    from benchmarks.report import write
    from benchmarks.stages import in_a_child
    from models.specimens.make import make_specimens

    folders = make_specimens(CACHE / "12mp", COUNT_STAGES, SEED_STAGES, "normal", ("good",), long_side=PHOTO_12_MP)
    result = in_a_child(measure_memory, folders, supports)
    for count, megabytes in result["rss_mb"]:
        typer.echo(f"{count:>7} supports: {megabytes} MB")
    typer.echo(f"peak {result['peak_rss_mb']} MB; raw: {write('memory', result, out)}")


@bench.command()
def idle(
    seconds: Annotated[float, typer.Option(help="How long each is looked at.", min=5)] = 120.0,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """What a service without work takes, awake and asleep, and how soon it verifies again."""
    from tempfile import TemporaryDirectory

    from benchmarks.idle import measure_idle
    from benchmarks.report import write
    from models.specimens.make import make_specimens
    from pipeline.settings import Settings

    (support, *_) = make_specimens(CACHE / "idle", 1, SEED_STAGES, "normal", ("good",))
    with TemporaryDirectory(prefix="apoyo-idle-") as folder:
        settings = Settings.model_validate(
            {"storage": {"data_dir": folder}, "api": {"port": 0}, "worker": {"sleep_seconds": seconds + 15}})
        result = measure_idle(settings, support, seconds)
    for name in ("awake", "asleep"):
        typer.echo(f"{name}: {result[name]['sum']} % of a core, {result[name]['rss_mb']} MB; {result[name]['percent']}")
    typer.echo(f"a verdict after: {result['verdict_after_s']} s; raw: {write('idle', result, out)}")


@bench.command()
def accuracy(
    count: Annotated[int, typer.Option(help="Supports a severity.")] = 200,
    severity: Annotated[SeverityChoice, typer.Option(help="One severity, or all three.")] = SeverityChoice.ALL,
    seed: Annotated[int, typer.Option(help="Another seed draws other people, cards and captures.")] = SEED_ACCURACY,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Error rates on specimen supports, with counts and 95 % intervals."""
    from benchmarks.accuracy import run_accuracy
    from benchmarks.report import write

    # the same people and cards in each severity: the captures differ
    result = judged("accuracy", severity, count, seed, None, jobs, run_accuracy)
    typer.echo(f"raw: {write('accuracy', {'seed': seed, 'severities': result}, out)}")


@bench.command()
def cards(
    count: Annotated[int, typer.Option(help="Supports a severity; a support is two captures.")] = 200,
    severity: Annotated[SeverityChoice, typer.Option(help="One severity, or all three.")] = SeverityChoice.ALL,
    seed: Annotated[int, typer.Option(help="Another seed draws other people, cards and captures.")] = SEED_CARDS,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Is the card seen: corners, side, model, retake reasons; a sheet of the worst captures."""
    from benchmarks.cards import MIXTURE, draw_worst, run_cards
    from benchmarks.report import write

    result = judged("cards", severity, count, seed, MIXTURE, jobs, run_cards, draw_worst)
    typer.echo(f"raw: {write('cards', {'seed': seed, 'severities': result}, out)}")


@bench.command()
def reading(
    count: Annotated[int, typer.Option(help="Supports a severity; a third of them are forged in one character.")] = 270,
    severity: Annotated[SeverityChoice, typer.Option(help="One severity, or all three.")] = SeverityChoice.ALL,
    seed: Annotated[int, typer.Option(help="Another seed draws other people, cards and captures.")] = SEED_READING,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Is the card read: codes, MRZ, fields, forged characters found; a sheet of the worst lines."""
    from benchmarks.reading import MIXTURE, draw_lines, run_reading
    from benchmarks.report import write

    result = judged("reading", severity, count, seed, MIXTURE, jobs, run_reading, draw_lines)
    typer.echo(f"raw: {write('reading', {'seed': seed, 'severities': result}, out)}")


@bench.command()
def reuse(
    supports: Annotated[int, typer.Option(help="Among how many a look-up is made.")] = 1_000_000,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """Fingerprints a support, look-ups among so many, memory."""
    from benchmarks.report import write
    from benchmarks.reuse import run_reuse
    from models.registry import load_calibration
    from pipeline.domain.reuse import Limits

    typer.echo(f"raw: {write('reuse', run_reuse(supports, Limits.of(load_calibration()), typer.echo), out)}")


@bench.command()
def proofs(
    count: Annotated[int, typer.Option(help="Device proofs, each by a key of its own.")] = 2000,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/results"),
) -> None:
    """CPU that one device proof costs the API, without the database."""
    from benchmarks.proofs import run_proofs
    from benchmarks.report import write

    result = run_proofs(count)
    typer.echo(f"{result['summary']}\nraw: {write('proofs', result, out)}")


def judged(what: str, severity: SeverityChoice, count: int, seed: int, mixture: tuple[str, ...] | None, jobs: int,
           run: Callable[[list[Path], int, Callable[[], None]], dict[str, Any]],
           draw: Callable[[list[dict[str, Any]], list[Path], Path], None] | None = None) -> dict[str, Any]:
    """Draws the specimens of each chosen severity, judges them, prints the rates, and draws a sheet of the worst: by severity."""
    from rich.progress import Progress

    from models.specimens.make import make_specimens

    result: dict[str, Any] = {}
    for one in chosen(severity):
        folders = make_specimens(CACHE / f"{what}-{one}-{seed}", count, seed, one.value, mixture, jobs=jobs)
        with Progress(transient=True) as progress:
            task = progress.add_task(f"{one}: judging", total=len(folders))
            result[one.value] = run(folders, jobs, functools.partial(progress.advance, task))
        print_rates(one.value, result[one.value])
        if draw is not None:
            sheet = CACHE / f"{what}-{one}-worst.jpg"
            draw(result[one.value]["worst"], folders, sheet)
            typer.echo(f"worst: {sheet}")
    return result


def chosen(severity: SeverityChoice) -> list[SeverityChoice]:
    return [one for one in SeverityChoice if one is not SeverityChoice.ALL and severity in (one, SeverityChoice.ALL)]


def print_stages(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="CPU a support (one thread)")
    for column in ("", "mean ms", "median", "p90", "supports/s/core", "peak MB"):
        table.add_column(column)
    for name in ("apoyo", "naive"):
        if name in summary:
            row = summary[name]
            table.add_row(name, *(str(row[key]) for key in ("cpu_ms_mean", "cpu_ms_median", "cpu_ms_p90",
                                                            "supports_per_second_and_core", "peak_rss_mb")))
    console = Console()
    console.print(table)
    console.print({"stages, ms": summary["apoyo"]["stages_ms_mean"], "naive / apoyo": summary.get("naive_over_apoyo")})


def print_rates(severity: str, result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    iou = result.get("iou_mean")
    table = Table(title=f"{severity}: {result['supports']} supports" + (f", mean IoU {iou}" if iou is not None else ""))
    for column in ("question", "right", "of", "%", "95 %"):
        table.add_column(column)
    for name, row in result["rates"].items():
        share = "" if row["rate"] is None else f"{100 * row['rate']:.1f}"
        table.add_row(name, str(row["hits"]), str(row["trials"]), share, f"{100 * row['low95']:.1f} – {100 * row['high95']:.1f}")
    Console().print(table)
