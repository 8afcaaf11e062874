"""`python -m benchmarks.chaos.rollover [--old COMMIT] [--pair …]`: from one version of the code to the next and back, under load.

Two trees, one storage. What docs/operations.md says of an upgrade is done step by step while supports arrive at 70 % of what the
old version takes; then everything is turned back, on the tables that the new version made. The outside checker judges the whole.
Clients see one port all the time, behind which a switch passes connections on, as a load balancer does. Exit code 1: something
was lost, doubled or mixed, or a request was refused for good.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos.checker import Checker
from benchmarks.chaos.deployment import DELIVERY, ROOT, WORKER, Kept, hook_at, until_ready
from benchmarks.chaos.history import History, read_history
from benchmarks.chaos.load import Load, Plan
from benchmarks.chaos.places import PAIRS, Place, empty_place, running_servers
from benchmarks.chaos.receiver import DEAD, LIVING, Receiver
from benchmarks.chaos.servers import free_ports
from benchmarks.chaos.world import DRAIN_SECONDS, WAITING, drained_after
from benchmarks.report import write
from pipeline.settings import ApiSettings, Settings, child_environment

OLD = "d58388b"
"""Before the rows had traces: two migrations behind."""
SHARE = 0.7
STAGE_SECONDS, MEASURED_SECONDS = 8.0, 8.0
SENDERS = 16
CHUNK = 65_536


class Switch:
    """Listens on loopback and passes each new connection on to the port that it is turned to."""

    def __init__(self, port: int) -> None:
        self.turned_to = port
        switch = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", switch.turned_to), 10) as behind:
                    there = threading.Thread(target=_pass_on, args=(self.request, behind), daemon=True)
                    there.start()
                    _pass_on(behind, self.request)
                    there.join()

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    """Until the source ends; then the sink is told so."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@dataclass
class Version:
    """The programs of one tree over one place."""

    name: str
    root: Path
    place: Place
    port: int = 0
    api: list[Kept] = field(default_factory=list)
    workers: list[Kept] = field(default_factory=list)
    deliverers: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.port,) = free_ports(1)
        self.log = self.place.folder / f"{self.name}.log"
        self.settings = Settings(storage=self.place.settings(), worker=WORKER, delivery=DELIVERY,
                                 api=ApiSettings(port=self.port, requests_a_minute=1_000_000))

    def environment(self) -> dict[str, str]:
        """Settings that are not the defaults: another version may not know them all."""
        usual, whole = Settings().environment(), child_environment(self.settings, {"PYTHONPATH": str(self.root)})
        return {name: value for name, value in whole.items() if usual.get(name) != value}

    def start_api(self) -> None:
        self.api = [self._keep("api.__main__")]
        until_ready(self.port, self.log)

    def start_workers(self) -> None:
        self.workers = [self._keep("benchmarks.chaos.workers") for _ in range(WORKER.count)]

    def start_deliverer(self) -> None:
        self.deliverers = [self._keep("api.deliver")]

    def migrate(self) -> None:
        subprocess.run([sys.executable, "-m", "pipeline.cli.main", "migrate"], cwd=self.root, check=True,
                       stdout=subprocess.DEVNULL, env=self.environment())

    def end(self) -> None:
        stop([*self.api, *self.workers, *self.deliverers])

    def _keep(self, module: str) -> Kept:
        return Kept(["-", module], self.environment(), self.log, root=self.root)


def stop(many: Sequence[Kept]) -> None:
    """By SIGTERM, each once it has finished what it holds."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Kept.stop, many))


def take_over(old: Version, new: Version, switch: Switch, pause: Callable[[], None]) -> Iterator[str]:
    """What docs/operations.md says, step by step; the step that is done."""
    new.migrate()
    yield "migrate"
    new.start_workers()
    yield "workers beside"
    pause()
    stop(old.workers)
    yield "former workers ended"
    new.start_deliverer()
    stop(old.deliverers)
    yield "deliverer"
    new.start_api()
    switch.turned_to = new.port
    yield "API beside, traffic turned"
    pause()
    stop(old.api)
    yield "former API ended"
    pause()


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of a commit. Raises `CalledProcessError` where this clone does not hold it."""
    with tempfile.TemporaryDirectory(prefix="apoyo-old-") as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "x"], cwd=folder, input=archive.stdout, check=True)
        yield Path(folder)


def roll(place: Place, old_tree: Path, seconds: float, seed: int) -> dict[str, Any]:
    """There and back: what was wrong, in words, and figures."""
    file = place.folder / "history.jsonl"
    old, new, back = Version("old", old_tree, place), Version("new", ROOT, place), Version("back", old_tree, place)
    steps: list[tuple[float, str]] = []
    with History(file) as history, Receiver(history, seed) as receiver, ExitStack() as stack:
        for version in (old, new, back):
            stack.callback(version.end)
        old.start_api()
        old.start_workers()
        old.start_deliverer()
        switch = Switch(old.port)
        stack.callback(switch.close)
        secret = old.settings.storage.client_secret_file.read_text().strip()
        for name in (LIVING, DEAD):
            receiver.secrets[name] = hook_at(switch.port, secret, receiver.url(name))
        most = _most(place, switch.port, secret, history)
        plan = Plan(SHARE * most, 0.0, seed, rounds=True)
        load, over = Load(switch.port, secret, history, plan), threading.Event()
        loading = threading.Thread(target=lambda: asyncio.run(load.run(lambda: not over.is_set())), name="load")
        loading.start()
        time.sleep(seconds)
        for former, latter in ((old, new), (new, back)):
            for step in take_over(former, latter, switch, lambda: time.sleep(seconds)):
                steps.append((round(time.monotonic() - history.began, 1), f"{latter.name}: {step}"))
                history.write("fault", name=steps[-1][1])
        over.set()
        loading.join()
        drained = drained_after(place, time.monotonic(), DRAIN_SECONDS, WAITING)
        known = {sent.key: next(iter(sent.acked)) for sent in read_history(file.open()).sent.values() if sent.acked}
        asyncio.run(load.read(known))
        history.write("end")
    told = read_history(file.open())
    report = Checker(told, place.database(), place.objects(), place.settings().key_file).check()
    statuses = Counter(status for _, status, _ in told.answers)
    refused = {status: count for status, count in statuses.items() if status not in (0, 202, 409, 503)}
    given_up = sum(not sent.acked for sent in told.sent.values())
    wrong = [f"{name}: {len(said)}, such as {said[0]}" for name, said in report.violations.items() if said]
    wrong += [f"{count} answers {status}" for status, count in refused.items()]
    wrong += [f"{given_up} supports were given up by who sent them"] if given_up else []
    wrong += ["supports or events still wait"] if drained is None else []
    return {"pair": place.pair, "wrong": wrong, "acknowledged": report.acked, "verdicts": report.verdicts,
            "later_rounds": sum(len(sent.again) for sent in told.sent.values()), "webhooks": len(told.hooks),
            "mended_by_sending_again": sum(statuses[status] for status in (0, 503)),
            "answers": {str(status): count for status, count in sorted(statuses.items())},
            "most_per_second": round(most, 1), "rate_per_second": round(SHARE * most, 1), "steps": steps,
            "drained_s": round(drained, 1) if drained is not None else None}


def _most(place: Place, port: int, secret: str, history: History) -> float:
    """Supports a second that are taken in, judged and told of: sent by clients that wait for their answers, until all is done."""
    began = time.monotonic()

    async def closed() -> None:
        load = Load(port, secret, history, Plan(1, 0, twice=0, misused=0))
        end = asyncio.get_running_loop().time() + MEASURED_SECONDS
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(load.one_after_another(end))

    asyncio.run(closed())
    if drained_after(place, began, DRAIN_SECONDS, WAITING) is None:
        raise RuntimeError("the old version does not get done with what it took in")
    ((judged,),) = place.database().rows("SELECT count(*) FROM verdicts")
    return float(judged) / (time.monotonic() - began)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos.rollover", description=__doc__)
    parser.add_argument("--old", default=OLD, help="the commit that is rolled from, and back to")
    parser.add_argument("--pair", choices=PAIRS, action="append", help="only this storage (may be repeated)")
    parser.add_argument("--seconds", type=float, default=STAGE_SECONDS, help="between two steps")
    parser.add_argument("--seed", type=int, default=20261127)
    wanted = parser.parse_args()
    rows = []
    with tree_of(wanted.old) as old_tree:
        for pair in wanted.pair or PAIRS:
            with running_servers(pair) as servers, empty_place(servers, wanted.seed) as place:
                rows.append(roll(place, old_tree, wanted.seconds, wanted.seed))
            print(f"{pair}: {'; '.join(rows[-1]['wrong']) or 'holds'}; {rows[-1]['acknowledged']} acknowledged, "
                  f"{rows[-1]['verdicts']} verdicts, {rows[-1]['mended_by_sending_again']} requests sent again", flush=True)
    write("rollover", {"old": wanted.old, "share": SHARE, "rows": rows})
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
