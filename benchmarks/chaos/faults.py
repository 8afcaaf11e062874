"""What is done to the service while supports arrive. Each takes the world and about so many seconds."""

from __future__ import annotations

import itertools
import os
import resource
import secrets
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta

import psycopg

from benchmarks.chaos import nemesis
from benchmarks.chaos.clocks import SHIFTS
from benchmarks.chaos.deployment import WORKER, Kept, renew
from benchmarks.chaos.load import jpeg
from benchmarks.chaos.places import Servers
from benchmarks.chaos.world import Fault, World
from pipeline.errors import ApoyoError
from pipeline.records.storage import open_storage
from pipeline.records.upkeep import collect

INTAKE_POINTS = (*(f"blob.{when}_put=kill@{k}" for when in ("before", "after") for k in range(1, 6)),
                 "commit.before=kill@1", "commit.after=kill@1", "reply.before=kill@1")
"""Every step of taking one support in: five puts, the commit, the reply."""
WORK_POINTS = ("work.claimed=kill", "work.fetched=kill", "work.examined=kill", "work.examined=segv", "work.registered=kill",
               "work.examined=hang", *(f"commit.{when}=kill@{k}" for when in ("after", "before") for k in (3, 2, 1)))
"""Every step from the claim (its commit is the first) over the registration (the second) to the verdict (the third)."""
DELIVER_POINTS = ("deliver.told=kill", "deliver.told=kill@3",
                  *(f"commit.{when}=kill@{k}" for when in ("after", "before") for k in (1, 3)))
"""From handing an event on over the claim of a delivery to the note that it arrived."""
DISK_BYTES = 1_500
"""No file may grow beyond: less than any picture here."""


def crash_intake(world: World, seconds: float) -> None:
    """The API dies at the next of its points as soon as it lives again, and so on."""
    _crash(world, [world.deployment.api], INTAKE_POINTS, seconds, "crash_intake")


def crash_workers(world: World, seconds: float) -> None:
    _crash(world, world.deployment.workers, WORK_POINTS, seconds, "crash_workers")


def crash_deliverer(world: World, seconds: float) -> None:
    """Whoever tells of verdicts dies after it told and before it noted that, and at its other steps."""
    _crash(world, world.deployment.deliverers, DELIVER_POINTS, seconds, "crash_deliverer")


def trouble_receiver(world: World, seconds: float) -> None:
    """Two of three answers of the webhook's receiver are errors, come too late or not at all."""
    receiver = world.receiver
    before = receiver.fired.copy()
    receiver.share = 2 / 3
    time.sleep(max(seconds, 4.0))  # what a deliverer that was killed held is told 3 s later
    receiver.share = 0.0
    for name, count in (receiver.fired - before).items():
        world.strike(f"receiver_{name}" if name else "", count if name else 0)


def _crash(world: World, many: list[Kept], points: tuple[str, ...], seconds: float, name: str) -> None:
    order = _orders.setdefault((id(world), name), itertools.cycle(points))
    before = sum(kept.ends.total() for kept in many)
    for kept in many:
        kept.specs = lambda: next(order)
        kept.signal(signal.SIGKILL)
    time.sleep(seconds)
    for kept in many:
        kept.specs = str
    died = sum(kept.ends.total() for kept in many) - before
    world.strike(name, died)


_orders: dict[tuple[int, str], itertools.cycle[str]] = {}


def crash_everywhere(world: World, seconds: float) -> None:
    """API, workers and deliverer together, until a life has ended at each of their points."""
    intake, work = set(INTAKE_POINTS), set(WORK_POINTS)
    told = set(DELIVER_POINTS) if world.deployment.deliverers else set()
    end = time.monotonic() + MOST_SECONDS
    crashing = [(world.deployment.api, intake), *((kept, work) for kept in world.deployment.workers),
                *((kept, told) for kept in world.deployment.deliverers)]
    for kept, left in crashing:
        kept.specs = _next_of(left)
        kept.signal(signal.SIGKILL)
    while (intake or work or told) and time.monotonic() < end:
        for kept, left in crashing:
            kept.specs = _next_of(left)
        time.sleep(min(seconds, 1.0))
        for kept, left in crashing:
            left -= set(kept.struck)
    for kept, _ in crashing:
        kept.specs = str
    for spec in {spec for kept, _ in crashing for spec in kept.struck} - {""}:
        world.strike(f"crash at {spec}")
    world.strike("crash_everywhere", not (intake or work or told))


MOST_SECONDS = 120.0
"""For all of them; they take a second or two each on a machine that is busy."""


def _next_of(left: set[str]) -> Callable[[], str]:
    order = itertools.cycle(sorted(left) or [""])
    return lambda: next(order)


def freeze_workers(world: World, seconds: float) -> None:
    """Each is stopped for longer than its lease, and wakes where another has taken over: most then end themselves."""
    kept = world.random.choice(world.deployment.workers)
    kept.signal(signal.SIGSTOP)
    world.strike("freeze_workers")
    time.sleep(max(seconds, WORKER.lease_seconds * 1.2))
    kept.signal(signal.SIGCONT)


def starve_leases(world: World, seconds: float) -> None:
    """No beat of one worker gets through, and all are slow: it finishes what another holds by then, or has finished."""
    longer = WORKER.lease_seconds + world.random.uniform(1.1, 1.5)  # so long others may take to claim what is let go
    starved, *others = world.random.sample(world.deployment.workers, len(world.deployment.workers))
    starved.specs = lambda: f"work.beat=fail@/1,work.examined=pause:{longer:.2f}@/1"
    for kept in others:
        kept.specs = lambda: "work.examined=pause:1.6@/1"  # and they still hold it when this one is done
    log = world.place.folder / "service.log"
    before = log.read_text().count(OVERTAKEN)
    renew(starved, *others)
    end = time.monotonic() + max(seconds, MOST_STARVED * longer)
    while time.monotonic() < end and log.read_text().count(OVERTAKEN) == before:
        time.sleep(0.1)
    for kept in (starved, *others):
        kept.specs = str
    renew(starved, *others)
    world.strike("starve_leases", log.read_text().count(OVERTAKEN) - before)


MOST_STARVED = 4
"""Of such supports, until one was overtaken: what is damaged, or was tried too often, is not examined and so not slow."""
OVERTAKEN = '"event": "lease lost"'


def harm_objects(world: World, seconds: float) -> None:
    """While nobody works, what waits is damaged: a bit flipped, the end cut off, another's bytes, nothing."""
    for kept in world.deployment.workers:
        kept.signal(signal.SIGSTOP)
    time.sleep(seconds)
    query = ("SELECT p.support_id, p.blob_key FROM parts p JOIN jobs j ON j.subject_id = p.support_id "
             "WHERE j.attempts = 0 AND j.done_at IS NULL AND j.round = 1 AND p.part = 'back' ORDER BY p.support_id")
    objects = world.place.objects()
    waiting = [row for row in world.place.database().rows(query) if row[0] not in world.damaged]
    for number, (support_id, key) in enumerate(waiting[:-1:2][:HARMED]):
        data, other = objects.get(key), objects.get(waiting[-1][1])
        if data:
            objects.replace(key, (_flipped(data, world), data[:-1], other or b"", b"")[number % 4])
            world.damaged.add(support_id)
            world.strike("harm_objects")
    for kept in world.deployment.workers:
        kept.signal(signal.SIGCONT)


HARMED = 12
"""Supports at a time: three of each kind of harm."""


def _flipped(data: bytes, world: World) -> bytes:
    at = world.random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << world.random.randrange(8)]) + data[at + 1:]


def kill_actors(world: World, seconds: float) -> None:
    """Whoever holds a support is killed, again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for (name,) in world.place.database().rows("SELECT worker FROM jobs WHERE done_at IS NULL AND worker IS NOT NULL"):
            with suppress(ProcessLookupError):
                os.kill(int(name.rpartition(":")[2]), signal.SIGKILL)
                world.strike("kill_actors")
        time.sleep(1.0)


def kill_ray(world: World, seconds: float) -> None:
    """The process that drives Ray is killed: node and actors go with it."""
    for kept in world.deployment.workers:
        kept.signal(signal.SIGKILL)
        world.strike("kill_ray")
    time.sleep(seconds)


FAILING = "blob.before_put=fail@/7,blob.after_put=fail@/11,commit.before=fail@/5,commit.after=fail@/6,work.fetched=fail@/4"
"""Prime to one another, so that every step of a support fails at some time, and in every company."""


def fail_steps(world: World, seconds: float) -> None:
    """Each few calls of every kind fail, in every process; a commit's also after it was done."""
    every = world.deployment.every
    log = world.place.folder / "service.log"
    before = log.read_text().count(INJECTED)
    for kept in every:
        kept.specs = lambda: FAILING
    renew(*every)
    time.sleep(seconds)
    for kept in every:
        kept.specs = str
    renew(*every)
    world.strike("fail_steps", log.read_text().count(INJECTED) - before)


INJECTED = '"code": "injected"'


def cut_uploads(world: World, seconds: float) -> None:
    """Forms that end midway, at any byte, and forms that trickle; none of them may become anything."""
    whole = b"".join(jpeg(f"cut {number}") for number in range(4))
    head = (f"POST /v1/supports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.deployment.secret}\r\nContent-Type: "
            f"multipart/form-data; boundary=b\r\nContent-Length: {len(whole)}\r\nIdempotency-Key: ").encode()
    trickling, end = list[socket.socket](), time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", world.deployment.port), 2)
            begun = whole[:world.random.randrange(len(whole))]
            connection.sendall(head + secrets.token_hex(8).encode() + b"\r\n\r\n--b\r\n" + begun)
            world.strike("cut_uploads")
            trickling.append(connection)
        for other in trickling[:-SLOW]:
            other.close()
        del trickling[:-SLOW]
        for other in trickling:
            with suppress(OSError):
                other.sendall(b"-")
        time.sleep(0.02)
    for other in trickling:
        other.close()


SLOW = 100
"""Connections that trickle at one time."""


def roll_intake(world: World, seconds: float) -> None:
    """SIGTERM: what is under way is answered, the rest finds nobody for a moment."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        world.deployment.api.signal(signal.SIGTERM)
        world.strike("roll_intake")
        time.sleep(1.0)


def fill_disk(world: World, seconds: float) -> None:
    """No file of the API may grow: neither blobs nor SQLite."""
    pid = world.deployment.api.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
    world.strike("fill_disk")
    time.sleep(seconds)
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    except ProcessLookupError:
        world.strike("fill_disk_died")


def lock_database(world: World, seconds: float) -> None:
    """Somebody else holds what every commit needs."""
    world.strike("lock_database")
    if isinstance(world.place, Servers):
        with world.place.postgresql.connect(world.place.name) as connection, connection.transaction():
            connection.execute("LOCK TABLE audit_head")
            time.sleep(seconds)
        return
    with closing(sqlite3.connect(world.place.folder / "var" / "apoyo.sqlite3", timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        other.execute("ROLLBACK")


def kill_database(world: World, seconds: float) -> None:
    """PostgreSQL by turns killed and stopped at once, and started again."""
    server = _servers(world).postgresql
    server.kill(world.random.choice((signal.SIGKILL, signal.SIGQUIT)))
    world.strike("kill_database")
    time.sleep(min(1.0, seconds / 2))
    server.start()
    time.sleep(seconds / 2)


def end_connections(world: World, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with _servers(world).postgresql.connect() as connection:
                ended = connection.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s",
                                           (_servers(world).name,)).fetchone()
            world.strike("end_connections", ended[0] if ended else 0)
        except psycopg.OperationalError:
            continue
        time.sleep(0.3)


def trouble_store(world: World, seconds: float) -> None:
    """Every second request to the store meets one of the proxy's faults."""
    proxy = _servers(world).nemesis
    before = proxy.fired.copy()
    proxy.strike(*(fault for fault in nemesis.FAULTS if fault != "etag"), share=0.5)
    time.sleep(seconds)
    proxy.strike()
    for name, count in (proxy.fired - before).items():
        world.strike(f"store_{name}", count)


def kill_store(world: World, seconds: float) -> None:
    server = _servers(world).s3
    server.kill(signal.SIGKILL)
    world.strike("kill_store")
    time.sleep(min(1.0, seconds / 2))
    server.start()


def collect_always(world: World, seconds: float) -> None:
    """The collector without any grace, beside requests under way; at least until it took something."""
    storage = open_storage(world.place.settings())
    began, taken = time.monotonic(), 0
    while time.monotonic() < began + (seconds if taken else MOST_COLLECTED * seconds):
        try:
            found = collect(storage, grace=timedelta(0), however_many=True)
            world.strike("collect_always", found)
            taken += found
        except ApoyoError:
            continue
    storage.engine.dispose()


MOST_COLLECTED = 5
"""Times as long, while nothing is left behind."""


def _servers(world: World) -> Servers:
    if not isinstance(world.place, Servers):
        raise TypeError("this fault is for PostgreSQL and S3")
    return world.place


def turn_clocks(world: World, seconds: float) -> None:
    """Forward, back, by an hour and a day, and stopped. Where each process may be on a machine of its own, each has another time;
    on one machine all have the same. What came of the turn before is left to be worked off under the next."""
    several = isinstance(world.place, Servers)
    for turn in range(len(SHIFTS)):
        for number, kept in enumerate(world.deployment.every):
            shift = SHIFTS[(turn + number * several) % len(SHIFTS)]
            kept.turn_clock(shift)
            world.strike(f"turn_clocks {'stopped' if shift is None else f'{shift:+d} s'}")
        time.sleep(seconds)
    for kept in world.deployment.every:
        kept.turn_clock(0)


ANYWHERE: tuple[Fault, ...] = (crash_intake, crash_workers, freeze_workers, trouble_receiver, collect_always, lock_database,
                               roll_intake, harm_objects, starve_leases, fail_steps, cut_uploads, crash_deliverer)
MIXED: dict[str, tuple[Fault, ...]] = {
    "sqlite+folder": (*ANYWHERE, fill_disk),
    "postgresql+s3": (*ANYWHERE, kill_database, end_connections, trouble_store, kill_store),
}
