"""Real processes: Ray, SQLite, the folder. A worker that is killed, hangs or is drained costs a support time, never a verdict."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline.domain.support import State
from pipeline.records import tables
from pipeline.records.engine import reading
from pipeline.records.storage import Storage, open_storage
from pipeline.records.supports import get_support
from pipeline.settings import MIB, Settings, StorageSettings, WorkerSettings, child_environment
from pipeline.telemetry import READY_LINE
from tests.contract.record_makers import client_in, insert_one
from tests.system.processes import SECONDS, alive, processes_naming, until

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


class Workers:
    """Two worker processes in a Ray of their own, as `apoyo work` starts them."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings, self.log = settings, log
        self.storage: Storage = open_storage(settings.storage)
        self.client = client_in(self.storage.engine)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.stand_in_workers"], cwd=ROOT, env=child_environment(settings), text=True,
            stdout=subprocess.PIPE, stderr=log.open("ab"), start_new_session=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == READY_LINE, log.read_text()[-2000:]

    def flag(self, name: str, on: bool) -> None:
        file = self.settings.storage.data_dir / name
        file.touch() if on else file.unlink(missing_ok=True)

    def submit(self) -> str:
        return insert_one(self.storage, self.client)

    def held_by(self, support_id: str) -> int | None:
        """The process that holds the support's lease."""
        with reading(self.storage.engine) as connection:
            worker = connection.execute(select(tables.jobs.c.worker).where(tables.jobs.c.subject_id == support_id)).scalar_one()
        return None if worker is None else int(worker.rpartition(":")[2])

    def state(self, support_id: str) -> State:
        return get_support(self.storage.engine, support_id).state

    def verdicts(self) -> list[tuple[str, int, str]]:
        with reading(self.storage.engine) as connection:
            return [(row.support_id, row.fence, row.outcome) for row in connection.execute(select(tables.verdicts))]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(SECONDS)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("workers")
    running = Workers(Settings(
        storage=StorageSettings(data_dir=folder / "var"),
        worker=WorkerSettings(count=2, lease_seconds=2, heartbeat_seconds=0.5, hard_deadline_seconds=4, memory_bytes=1024 * MIB)),
        folder / "log")
    yield running
    if running.process.poll() is None:
        running.stop()
    running.process.stdout.close()


@pytest.fixture(autouse=True)
def released(workers: Workers) -> Iterator[None]:
    yield
    for name in ("hold", "hang", "eat"):
        workers.flag(name, False)


def test_supports_get_their_verdicts(workers: Workers) -> None:
    ids = [workers.submit() for _ in range(10)]
    until(lambda: all(workers.state(support_id) is State.ACCEPTED for support_id in ids))


def test_a_worker_killed_in_a_verification_costs_no_support(workers: Workers) -> None:
    workers.flag("hold", True)
    support_id = workers.submit()
    victim = until(lambda: workers.held_by(support_id))
    assert workers.state(support_id) is State.PROCESSING
    os.kill(victim, signal.SIGKILL)
    workers.flag("hold", False)
    until(lambda: workers.state(support_id) is State.ACCEPTED)
    assert [fence for verdict_of, fence, _ in workers.verdicts() if verdict_of == support_id] == [2]
    others = [workers.submit() for _ in range(4)]
    until(lambda: all(workers.state(other) is State.ACCEPTED for other in others))


def test_the_killed_worker_is_replaced(workers: Workers) -> None:
    workers.flag("hold", True)
    ids = [workers.submit() for _ in range(2)]
    victims = {until(lambda one=one: workers.held_by(one)) for one in ids}
    assert len(victims) == 2
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    workers.flag("hold", False)
    until(lambda: all(workers.state(support_id) is State.ACCEPTED for support_id in ids))


def test_a_worker_hung_in_native_code_ends_at_its_deadline(workers: Workers) -> None:
    workers.flag("hold", True)
    support_id = workers.submit()
    victim = until(lambda: workers.held_by(support_id))
    workers.flag("hang", True)
    workers.flag("hold", False)
    until(lambda: workers.held_by(support_id) != victim or not alive(victim), 30)
    workers.flag("hang", False)
    until(lambda: workers.state(support_id) is not State.PROCESSING)
    until(lambda: not alive(victim), 10)
    assert len([1 for verdict_of, _, _ in workers.verdicts() if verdict_of == support_id]) == 1


def test_a_worker_that_the_system_stopped_is_ended_and_replaced(workers: Workers) -> None:
    workers.flag("hold", True)
    support_id = workers.submit()
    victim = until(lambda: workers.held_by(support_id))
    os.kill(victim, signal.SIGSTOP)
    workers.flag("hold", False)
    until(lambda: workers.state(support_id) is State.ACCEPTED)
    until(lambda: not alive(victim))
    others = [workers.submit() for _ in range(4)]
    until(lambda: all(workers.state(other) is State.ACCEPTED for other in others))


def test_one_that_wants_all_memory_goes_to_a_person_and_ends_no_process(workers: Workers) -> None:
    verifiers = until(lambda: len(actors(workers, "Verifier")) == 2 and actors(workers, "Verifier"))
    workers.flag("eat", True)
    support_id = workers.submit()
    until(lambda: workers.state(support_id) is State.IN_REVIEW)
    assert actors(workers, "Verifier") == verifiers


def actors(workers: Workers, kind: str) -> set[int]:
    """Their processes."""
    return {int(line.split()[0]) for line in processes_naming(str(workers.settings.storage.data_dir)) if kind in line}


def index_process(workers: Workers) -> int | None:
    return next(iter(actors(workers, "IndexServer")), None)


def test_the_index_of_fingerprints_is_started_again_and_no_support_passes_without_it(workers: Workers) -> None:
    killed = until(lambda: index_process(workers))
    os.kill(killed, signal.SIGKILL)
    support_id = workers.submit()
    until(lambda: workers.state(support_id) is State.ACCEPTED)
    assert until(lambda: index_process(workers)) != killed


def test_sigterm_finishes_what_is_in_hand_and_leaves_no_process(workers: Workers) -> None:
    workers.flag("hold", True)
    support_id = workers.submit()
    until(lambda: workers.held_by(support_id))
    workers.process.terminate()
    time.sleep(0.5)
    workers.flag("hold", False)
    assert workers.process.wait(SECONDS) == 0
    assert workers.state(support_id) is State.ACCEPTED
    assert [fence for verdict_of, fence, _ in workers.verdicts() if verdict_of == support_id] == [1]
    until(lambda: not processes_naming(str(workers.settings.storage.data_dir)), 20)


@pytest.fixture
def drowsy(tmp_path: Path) -> Iterator[Workers]:
    """Sleeps as soon as it has looked twice and found nothing."""
    running = Workers(Settings(
        storage=StorageSettings(data_dir=tmp_path / "var"), worker=WorkerSettings(count=1, sleep_seconds=1)), tmp_path / "log")
    yield running
    if running.process.poll() is None:
        running.stop()
    assert running.process.stdout is not None
    running.process.stdout.close()


def asleep(workers: Workers, times: int) -> bool:
    return workers.log.read_text().count('"event": "asleep"') == times


def test_without_work_nothing_of_ray_is_left_and_the_next_support_wakes_it_each_time(drowsy: Workers) -> None:
    place, number = str(drowsy.settings.storage.data_dir), drowsy.process.pid
    first = drowsy.submit()
    until(lambda: drowsy.state(first) is State.ACCEPTED)
    for times in (1, 2):
        until(lambda: asleep(drowsy, times))  # noqa: B023 (asked at once)
        until(lambda: len(processes_naming(place)) == 1)
        support_id = drowsy.submit()
        until(lambda: drowsy.state(support_id) is State.ACCEPTED)  # noqa: B023
    assert drowsy.process.pid == number and drowsy.process.poll() is None
    until(lambda: asleep(drowsy, 3))
    assert drowsy.stop() == 0, "asleep it ends at once, in order"
