"""The `apoyo` command: the list of its sub-commands, and what happens to an error of ours."""

from __future__ import annotations

import sys

import typer

from pipeline.cli.audit import audit
from pipeline.cli.bench import bench
from pipeline.cli.bench_capacity import capacity
from pipeline.cli.bench_load import intake, load
from pipeline.cli.bench_soak import soak
from pipeline.cli.calibrate import calibrate
from pipeline.cli.check_signature import check_signature_command
from pipeline.cli.check_upload import check_upload_command
from pipeline.cli.clients import clients
from pipeline.cli.compare_faces import compare_faces_command
from pipeline.cli.config import config
from pipeline.cli.deliver import deliver
from pipeline.cli.demo import demo
from pipeline.cli.doctor import doctor
from pipeline.cli.erasures import erase, export, hold, receipts
from pipeline.cli.keys import keys
from pipeline.cli.locate import locate_command
from pipeline.cli.metrics import metrics
from pipeline.cli.migrate import migrate
from pipeline.cli.models import models
from pipeline.cli.pack import pack
from pipeline.cli.plan import plan
from pipeline.cli.processes import processes
from pipeline.cli.re_examine import re_examine_command
from pipeline.cli.read_codes import read_codes_command
from pipeline.cli.read_mrz import read_mrz_command
from pipeline.cli.retention import reap
from pipeline.cli.serve import serve
from pipeline.cli.specimens import specimens
from pipeline.cli.upkeep import backup, collect, reconcile, restore
from pipeline.cli.verify import verify
from pipeline.cli.work import work
from pipeline.errors import ApoyoError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Apoyo: verifies a citizen's support, and answers with a verdict and its evidence.")
bench.command()(load)
bench.command()(intake)
bench.command()(capacity)
bench.command()(soak)
app.add_typer(audit, name="audit")
app.add_typer(bench, name="bench")
app.add_typer(calibrate, name="calibrate")
app.add_typer(clients, name="clients")
app.add_typer(config, name="config")
app.add_typer(models, name="models")
app.add_typer(processes, name="processes")
app.add_typer(keys, name="keys")
app.add_typer(receipts, name="receipts")
app.add_typer(hold, name="hold")
app.command()(verify)
app.command()(demo)
app.command()(serve)
app.command()(work)
app.command()(deliver)
app.command()(migrate)
app.command()(metrics)
app.command()(doctor)
app.command()(plan)
app.command("re-examine")(re_examine_command)
app.command()(pack)
app.command()(reconcile)
app.command()(collect)
app.command()(backup)
app.command()(restore)
app.command()(erase)
app.command()(export)
app.command()(reap)
app.command()(specimens)
app.command("check-upload")(check_upload_command)
app.command("locate")(locate_command)
app.command("read-codes")(read_codes_command)
app.command("read-mrz")(read_mrz_command)
app.command("compare-faces")(compare_faces_command)
app.command("check-signature")(check_signature_command)


def main() -> None:
    """Entry point. An error of ours is one line that says what to do, not a traceback; unusable arguments exit with 2."""
    try:
        app()
    except ApoyoError as error:
        typer.echo(f"apoyo: {error.code}: {error.detail}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
