"""`apoyo doctor`: what is wrong with this installation, and how to mend it. Changes nothing but a value put and deleted."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Engine

from pipeline.clock import Clock, from_millis, utc_now
from pipeline.errors import ApoyoError
from pipeline.settings import Settings, available_cores, mistakes

if TYPE_CHECKING:
    from rich.table import Table

BROKEN = 1
"""Exit code where something is broken."""
LEAST_FREE_BYTES = 2 << 30
"""A thousand supports as phones send them take some 8 GB; SQLite and PostgreSQL stop at a full disk."""
MOST_SKEW_SECONDS = 2.0
"""Leases use the database's clock alone; what citizens wait, and the day that a support is judged by, use this machine's."""
CONNECT_SECONDS = 3.0


class Status(StrEnum):
    OK = "ok"
    BROKEN = "broken"
    SKIPPED = "skipped"


STYLES = {Status.OK: "green", Status.BROKEN: "red", Status.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. mend: what to do; empty where nothing is to be done."""

    check: str
    status: Status
    detail: str
    mend: str = ""


def doctor(jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False) -> None:
    """Look at weights, database, store, keys, Ray, port, disk, clock and threads; exit code 1 where something is broken."""
    found = []
    table = None if jsonl else _table()
    for finding in examine_installation():
        found.append(finding)
        if jsonl:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
        elif table is not None:
            said = f"{finding.detail}\n→ {finding.mend}" if finding.mend else finding.detail
            table.add_row(finding.check, f"[{STYLES[finding.status]}]{finding.status}", said)
    if table is not None:
        from rich.console import Console

        Console().print(table)
    if any(finding.status is Status.BROKEN for finding in found):
        raise typer.Exit(BROKEN)


def _table() -> Table:
    from rich.table import Table

    return Table("check", "status", "what was seen", title="apoyo doctor")


def examine_installation() -> Iterator[Finding]:
    """Every check, one after another; one that fails does not stop the next."""
    wrong = mistakes()
    if wrong:
        yield Finding("settings", Status.BROKEN, "; ".join(f"{name}: {what}" for name, what in wrong), "apoyo config check")
        return
    settings = Settings.load()
    yield Finding("settings", Status.OK, "they load")
    checks: list[tuple[str, Callable[[Settings], Finding]]] = [
        ("weights", weights), ("database", database), ("key", key), ("store", store), ("clock", clock), ("ray", ray),
        ("port", port), ("disk", disk), ("threads", threads)]
    for name, check in checks:
        try:
            yield check(settings)
        except ApoyoError as error:
            yield Finding(name, Status.BROKEN, f"{error.code}: {error.detail}", MEND.get(error.code, MEND.get(name, "")))


MEND = {
    "weights": "python -m models.prepare (make weights)",
    "database": "start it, or set APOYO_STORAGE__DATABASE_URL and DATABASE_PASSWORD_FILE",
    "postgresql_not_durable": "set fsync and full_page_writes on, and synchronous_commit not off: for this database and user too",
    "store": "see APOYO_STORAGE__S3_… or BLOB_DIR: it must be there, and this user must be able to write to it",
    "secret_not_private": "chmod 600, or 640 for a file that was mounted",
    "key": "put the key back that sealed what is stored: APOYO_STORAGE__KEY_FILE",
    "ray": "see APOYO_RAY__ADDRESS and TOKEN_FILE",
}
"""What to do, by an error's code or else by the check that met it."""


def weights(_settings: Settings) -> Finding:
    """Every network's file by its SHA-256."""
    from models.registry import checked_bytes, load_manifest

    entries = load_manifest().entries
    for entry in entries:
        checked_bytes(entry.path, entry.sha256)
    return Finding("weights", Status.OK, f"{len(entries)} files have their SHA-256")


def database(settings: Settings) -> Finding:
    """It answers, keeps what it commits (asserted with each connection), and has the tables of this version."""
    from pipeline.records.engine import schema_state

    engine = _engine(settings)
    if engine is None:
        return Finding("database", Status.SKIPPED, "SQLite, not made yet: the first start makes it")
    state = schema_state(engine)
    kind = f"{engine.dialect.name} answers and is durable"
    if state.behind:
        return Finding("database", Status.BROKEN, f"{kind}; its tables are of {state.found or 'no version'}, not {state.newest}",
                       "apoyo migrate")
    return Finding("database", Status.OK, f"{kind}; its tables are {'newer than this program' if state.ahead else 'up to date'}")


def key(settings: Settings) -> Finding:
    """The key-encryption key is there, private, and the one that sealed what is stored."""
    from pipeline.records.keys import count_by_key, opens
    from pipeline.records.storage import open_keys

    where = settings.storage
    if not where.key_service_url and not where.key_variable and not where.key_file.exists():
        return Finding("key", Status.SKIPPED, "not made yet: the first start makes it; then keep a copy apart")
    keys = open_keys(settings.storage)
    engine = _engine(settings)
    if engine is None or _never_migrated(engine):
        return Finding("key", Status.OK, "readable and private; nothing is stored yet")
    counts = count_by_key(engine)
    others = [one for one in counts if not opens(keys, engine, one)]
    if others:
        return Finding("key", Status.BROKEN, f"{len(others)} other keys sealed what is stored: these do not open it", MEND["key"])
    return Finding("key", Status.OK, "readable, private, and the one that sealed what is stored")


def store(settings: Settings) -> Finding:
    """A value can be put, read and deleted."""
    from pipeline.records.storage import open_blobs

    blobs, name, value = open_blobs(settings.storage), f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(64)
    put = blobs.put_if_absent(name, value)
    try:
        same = blobs.get(name) == value
    finally:
        blobs.delete(name)
    if not put or not same or blobs.exists(name):
        return Finding("store", Status.BROKEN, "it does not keep, or does not forget, what it is told to", MEND["store"])
    return Finding("store", Status.OK, f"{'S3' if settings.storage.s3_endpoint else 'folder'}: put, read and deleted")


def clock(settings: Settings, now: Clock = utc_now) -> Finding:
    """This machine's clock against the database's."""
    from pipeline.records.engine import database_now

    engine = _engine(settings)
    if engine is None or engine.dialect.name == "sqlite":
        return Finding("clock", Status.SKIPPED, "SQLite has this machine's clock")
    skew = (now() - from_millis(database_now(engine))).total_seconds()
    if abs(skew) > MOST_SKEW_SECONDS:
        return Finding("clock", Status.BROKEN, f"{skew:+.1f} s beside the database's", "set both by NTP")
    return Finding("clock", Status.OK, f"{skew:+.2f} s beside the database's")


def ray(settings: Settings) -> Finding:
    """A cluster's port answers and its token can be read; for a node of our own, loopback and the token's file."""
    from pipeline.blobs.files import read_or_make_secret, read_secret

    address, token = settings.ray.address, settings.ray.token_file
    if not address:
        if not token.exists():
            return Finding("ray", Status.SKIPPED, "a node of our own, which the first start makes, with its token")
        read_or_make_secret(token, str)
        return Finding("ray", Status.OK, "a node of our own; its token is private")
    read_secret(token, "the cluster's token (APOYO_RAY__TOKEN_FILE)")
    if address == "auto":
        return Finding("ray", Status.OK, "the cluster of this machine; its token can be read")
    host, _, number = address.rpartition(":")
    try:
        with socket.create_connection((host, int(number)), CONNECT_SECONDS):
            return Finding("ray", Status.OK, f"{address} answers; its token can be read")
    except (OSError, ValueError) as error:
        return Finding("ray", Status.BROKEN, f"{address}: {type(error).__name__}", MEND["ray"])


def port(settings: Settings) -> Finding:
    """The API's port: our API answers there, or it can be taken."""
    where = f"{settings.api.host}:{settings.api.port}"
    if settings.api.port == 0:
        return Finding("port", Status.OK, "any that is free")
    try:
        with urllib.request.urlopen(f"http://{where}/livez", timeout=CONNECT_SECONDS) as answer:
            ours = json.load(answer) == {"status": "live"}
    except (urllib.error.URLError, OSError, ValueError):
        ours = False
    if ours:
        return Finding("port", Status.OK, f"our API answers on {where}")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.api.host, settings.api.port))
    except OSError as error:
        return Finding("port", Status.BROKEN, f"{where}: {error.strerror}", "end what listens there, or set APOYO_API__PORT")
    return Finding("port", Status.OK, f"{where} is free")


def disk(settings: Settings, least: int = LEAST_FREE_BYTES) -> Finding:
    """Room where this machine writes."""
    place = next(folder for folder in (settings.storage.data_dir, *settings.storage.data_dir.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < least:
        return Finding("disk", Status.BROKEN, f"{free / 1e9:.1f} GB free at {place}",
                       "make room, or move APOYO_STORAGE__DATA_DIR")
    return Finding("disk", Status.OK, f"{free / 1e9:.1f} GB free at {place}")


def threads(settings: Settings) -> Finding:
    """A worker is one thread on one core: more workers than cores wait for each other, and leases are lost."""
    if settings.ray.address:
        return Finding("threads", Status.SKIPPED, "the cluster's nodes have their own cores")
    cores = available_cores()
    if settings.worker.count > cores:
        return Finding("threads", Status.BROKEN, f"{settings.worker.count} workers on {cores} cores (affinity and cgroup quota)",
                       "set APOYO_WORKER__COUNT to the cores, or give it more")
    return Finding("threads", Status.OK, f"{settings.worker.count} workers on {cores} cores")


def _engine(settings: Settings) -> Engine | None:
    """The database as the programs open it; None where it is a SQLite that is not there: it would be made by looking."""
    from sqlalchemy.engine import make_url

    from pipeline.blobs.files import read_secret
    from pipeline.records.engine import open_engine

    storage = settings.storage
    url = make_url(storage.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None
    file = storage.database_password_file
    return open_engine(storage.database_url, None if file is None else read_secret(file, "the database's password"))


def _never_migrated(engine: Engine) -> bool:
    from pipeline.records.engine import schema_state

    return schema_state(engine).found is None
