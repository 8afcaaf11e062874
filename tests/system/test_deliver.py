"""The deliverer as a process of its own: killed, it tells again with the same id; asked to end, it settles what is under way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.records.deliveries import add_test
from pipeline.records.outbox import EventKind
from pipeline.records.storage import Storage, open_storage
from pipeline.records.webhooks import add_webhook, get_webhook
from pipeline.settings import DeliverySettings, Settings, StorageSettings, child_environment
from pipeline.telemetry import READY_LINE
from tests.contract.record_makers import client_in
from tests.receivers import hang, receiver
from tests.system.processes import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = open_storage(StorageSettings(data_dir=tmp_path))
    yield opened
    opened.engine.dispose()


@contextmanager
def deliverer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`python -m api.deliver`, at work."""
    delivery = DeliverySettings(allow_loopback=True, attempt_seconds=2, poll_seconds=0.05)
    settings = Settings(storage=StorageSettings(data_dir=folder), delivery=delivery)
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
