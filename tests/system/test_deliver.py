"""The deliverer as a process of its own: killed, it tells again with the same id; asked to end, it settles what is under way."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.records.deliveries import add_test
from pipeline.records.outbox import EventKind
from pipeline.records.storage import Storage, open_storage
from pipeline.records.webhooks import add_webhook, get_webhook
from pipeline.settings import DeliverySettings, FaultSettings, Settings, StorageSettings, child_environment
from pipeline.telemetry import READY_LINE
from tests.contract.record_makers import client_in
from tests.receivers import drop, hang, ok_then_drop, receiver, status
from tests.system.processes import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = open_storage(StorageSettings(data_dir=tmp_path))
    yield opened
    opened.engine.dispose()


@contextmanager
def deliverer(folder: Path, faults: str = "") -> Iterator[subprocess.Popen[str]]:
    """`python -m api.deliver`, at work, with these faults armed."""
    delivery = DeliverySettings(allow_loopback=True, attempt_seconds=2, poll_seconds=0.05, backoff_seconds=(0.2,) * 20)
    settings = Settings(storage=StorageSettings(data_dir=folder), delivery=delivery, faults=FaultSettings(points=faults))
    with (folder / "log").open("ab") as log, subprocess.Popen(
            [sys.executable, "-m", "api.deliver"], cwd=ROOT, env=child_environment(settings), stdout=subprocess.PIPE, stderr=log,
            text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == READY_LINE, (folder / "log").read_text()[-2000:]
            yield process
        finally:
            process.kill()


def test_one_that_is_killed_tells_again_with_the_same_id(storage: Storage, tmp_path: Path) -> None:
    client = client_in(storage.engine)
    with receiver() as hook:
        webhook, secret = add_webhook(storage, client, hook.url, frozenset({EventKind.DECIDED}))
        hook.answers += [hang(30)]
        event = add_test(storage.engine, client, webhook.id)
        with deliverer(tmp_path) as first:
            until(lambda: hook.told)
            first.kill()
            first.wait(10)
        assert get_webhook(storage, client, webhook.id)[1].delivered == 0
        with deliverer(tmp_path):
            until(lambda: get_webhook(storage, client, webhook.id)[1].delivered == 1)
        assert hook.ids() == [event, event]
        assert hook.told[0].body == hook.told[1].body
        assert hook.told[1].signed_by(secret)
        assert "whsec_" not in (tmp_path / "log").read_text()


def test_one_that_dies_between_the_answer_and_its_record_tells_again(storage: Storage, tmp_path: Path) -> None:
    client = client_in(storage.engine)
    with receiver() as hook:
        webhook, _ = add_webhook(storage, client, hook.url, frozenset({EventKind.DECIDED}))
        event = add_test(storage.engine, client, webhook.id)
        with deliverer(tmp_path, "deliver.told=kill") as first:
            assert first.wait(20) == -signal.SIGKILL
        assert (hook.ids(), get_webhook(storage, client, webhook.id)[1].delivered) == ([event], 0)
        with deliverer(tmp_path):
            until(lambda: get_webhook(storage, client, webhook.id)[1].delivered == 1)
        assert hook.ids() == [event, event]


def test_ten_receivers_of_which_some_fail_and_a_deliverer_that_is_killed(storage: Storage, tmp_path: Path) -> None:
    """Every event arrives at everyone who ever answers, signed, under one id with one body; the dead one delays nobody."""
    client, rng = client_in(storage.engine), random.Random(15)
    faults = [status(500), status(503), drop, ok_then_drop, status(302, Location="http://127.0.0.1:1/")]
    with ExitStack() as stack:
        hooks = [stack.enter_context(receiver()) for _ in range(10)]
        made = [add_webhook(storage, client, hook.url, frozenset({EventKind.DECIDED})) for hook in hooks]
        dead, *living = hooks
        dead.always = hang(20)
        for hook in living[:5]:
            hook.answers += [rng.choice([*faults, status(204)]) for _ in range(10)]
        events = {webhook.id: {add_test(storage.engine, client, webhook.id) for _ in range(12)} for webhook, _ in made}

        def arrived() -> bool:
            return all(get_webhook(storage, client, webhook.id)[1].waiting == 0 for webhook, _ in made[1:])

        for number in (5, 12, 30):
            with deliverer(tmp_path, f"commit.after=kill@{number}") as process:
                assert process.wait(60) == -signal.SIGKILL, "the fault was seen to strike"
        with deliverer(tmp_path):
            until(arrived)
        for (webhook, secret), hook in zip(made[1:], living, strict=True):
            assert set(hook.ids()) == events[webhook.id]
            assert all(told.signed_by(secret) for told in hook.told)
            assert len({(told.id, told.body) for told in hook.told}) == 12
            assert get_webhook(storage, client, webhook.id)[1].delivered == 12
        assert get_webhook(storage, client, made[0][0].id)[1].waiting == 12


def test_one_that_is_asked_to_end_settles_what_is_under_way(storage: Storage, tmp_path: Path) -> None:
    client = client_in(storage.engine)
    with receiver() as hook:
        webhook, _ = add_webhook(storage, client, hook.url, frozenset({EventKind.DECIDED}))
        hook.answers += [hang(1)]
        add_test(storage.engine, client, webhook.id)
        with deliverer(tmp_path) as process:
            until(lambda: hook.told)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        assert get_webhook(storage, client, webhook.id)[1].delivered == 1


def test_a_wrong_setting_ends_it_with_a_reason(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings(data_dir=tmp_path))
    environment = child_environment(settings, {"APOYO_DELIVERY__BACKOFF_SECONDS": "soon"})
    done = subprocess.run([sys.executable, "-m", "api.deliver"], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert b"delivery" in done.stderr and b"soon" not in done.stderr
