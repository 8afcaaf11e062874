"""`apoyo doctor` and `apoyo config`: each check sees its own fault, in real places that are broken, and says what to do."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from benchmarks.chaos.servers import PostgreSQL, S3Server, free_ports
from models import registry
from pipeline.cli import doctor
from pipeline.cli.config import HIDDEN, contradictions, reference_page
from pipeline.cli.doctor import Finding, Status, examine_installation
from pipeline.clock import utc_now
from pipeline.records.storage import open_storage
from pipeline.settings import ApiSettings, RaySettings, Settings, StorageSettings, WorkerSettings, mistakes
from tests.contract.record_makers import client_in, insert_one

ROOT = Path(__file__).parents[2]
Check = Callable[[Settings], Finding]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("APOYO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APOYO_STORAGE__DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("APOYO_API__PORT", "0")


def found(check: str) -> Finding:
    """What the whole examination says of one check."""
    return next(finding for finding in examine_installation() if finding.check == check)


def test_a_whole_installation_is_without_a_finding(pair: StorageSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(pair)
    insert_one(storage, client_in(storage.engine))
    for name, value in Settings(storage=pair, api=ApiSettings(port=0)).environment().items():
        monkeypatch.setenv(name, value)
    findings = {finding.check: finding for finding in examine_installation()}
    assert [finding for finding in findings.values() if finding.status is Status.BROKEN] == []
    assert {name for name, finding in findings.items() if finding.status is Status.OK} >= {
        "settings", "weights", "database", "key", "store", "port", "disk", "threads"}


def test_a_machine_before_its_first_start_is_not_broken(tmp_path: Path) -> None:
    assert [finding for finding in examine_installation() if finding.status is Status.BROKEN] == []
    assert not (tmp_path / "var" / "apoyo.sqlite3").exists()
    assert not (tmp_path / "var" / "keys").exists()


def broken(finding: Finding, *words: str) -> None:
    assert finding.status is Status.BROKEN, finding
    assert finding.mend
    assert all(word in f"{finding.detail} {finding.mend}" for word in words), finding


def test_a_setting_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_WORKER__COUNT", "none-of-yours")
    findings = list(examine_installation())
    assert len(findings) == 1
    broken(findings[0], "APOYO_WORKER__COUNT", "config check")
    assert "none-of-yours" not in findings[0].detail


def test_a_weight_with_another_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest = registry.load_manifest()
    weight = next(iter(manifest.weights.values()))
    copy = tmp_path / weight.file
    copy.parent.mkdir(parents=True)
    data = bytearray(weight.path.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    monkeypatch.setattr(type(weight), "path", property(lambda self: copy if self.file == weight.file else ROOT / "models" / self.file))
    broken(found("weights"), "models.prepare")


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__DATABASE_URL", f"postgresql+psycopg://apoyo@127.0.0.1:{free_ports(1)[0]}/apoyo")
    broken(found("database"), "database_unavailable")


def test_a_postgresql_that_forgets(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    with postgresql.database("migrated") as url:
        with psycopg.connect(host="127.0.0.1", port=postgresql.port, user="apoyo", password=postgresql.password_file.read_text(),
                             dbname="postgres", autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
        monkeypatch.setenv("APOYO_STORAGE__DATABASE_URL", url)
        monkeypatch.setenv("APOYO_STORAGE__DATABASE_PASSWORD_FILE", str(postgresql.password_file))
        broken(found("database"), "postgresql_not_durable", "synchronous_commit")


def test_tables_of_an_older_version(tmp_path: Path) -> None:
    storage = open_storage(StorageSettings(data_dir=tmp_path / "var"))
    first = storage.engine.connect().execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    with storage.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    broken(found("database"), "apoyo migrate", str(first))


def test_another_key_than_what_is_stored_was_sealed_by(tmp_path: Path) -> None:
    storage = open_storage(StorageSettings(data_dir=tmp_path / "var"))
    insert_one(storage, client_in(storage.engine))
    file = tmp_path / "var" / "keys" / "kek"
    file.write_text(secrets.token_hex(32))
    broken(found("key"), "APOYO_STORAGE__KEY_FILE")


@pytest.mark.parametrize(("content", "mode", "code"), [("ab" * 32, 0o644, "secret_not_private"), ("no hex", 0o600, "bad_key_file")])
def test_a_key_that_is_open_or_broken(tmp_path: Path, content: str, mode: int, code: str) -> None:
    file = tmp_path / "var" / "keys" / "kek"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.chmod(mode)
    broken(found("key"), code)


def test_a_folder_that_nobody_writes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__BLOB_DIR", "/proc/self/blobs")  # not even root does
    broken(found("store"), "BLOB_DIR")


def test_a_bucket_that_is_not_there(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"S3_ENDPOINT": s3.endpoint, "S3_BUCKET": "another", "S3_ACCESS_KEY_FILE": str(s3.access_key_file),
                        "S3_SECRET_KEY_FILE": str(s3.secret_key_file)}.items():
        monkeypatch.setenv(f"APOYO_STORAGE__{name}", value)
    broken(found("store"), "s3_no_bucket")


def test_a_clock_that_differs(postgresql: PostgreSQL, tmp_path: Path) -> None:
    with postgresql.database("migrated") as url:
        settings = Settings(storage=StorageSettings(
            data_dir=tmp_path, database_url=url, database_password_file=postgresql.password_file))
        assert doctor.clock(settings).status is Status.OK
        ahead = doctor.clock(settings, lambda: utc_now() + timedelta(minutes=3))
        broken(ahead, "NTP")
        assert float(ahead.detail.split()[0]) == pytest.approx(180, abs=60)  # the database is asked after the clock was read


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def test_a_cluster_without_answer_or_token(tmp_path: Path, listening: int, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("APOYO_RAY__TOKEN_FILE", str(token))
    monkeypatch.setenv("APOYO_RAY__ADDRESS", f"127.0.0.1:{listening}")
    broken(found("ray"), "secret_unreadable", "TOKEN_FILE")
    token.write_text("a token")
    token.chmod(0o600)
    assert found("ray").status is Status.OK
    monkeypatch.setenv("APOYO_RAY__ADDRESS", f"127.0.0.1:{free_ports(1)[0]}")
    broken(found("ray"), "ConnectionRefusedError", "APOYO_RAY__ADDRESS")


def test_a_port_that_another_has(listening: int) -> None:
    broken(doctor.port(Settings(api=ApiSettings(port=listening))), "APOYO_API__PORT")


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings(data_dir=tmp_path / "not" / "yet"))
    assert doctor.disk(settings, least=1).status is Status.OK
    broken(doctor.disk(settings, least=1 << 60), "make room")


def test_more_workers_than_cores() -> None:
    broken(doctor.threads(Settings(worker=WorkerSettings(count=10_000))), "APOYO_WORKER__COUNT")
    assert doctor.threads(Settings(worker=WorkerSettings(count=10_000), ray=RaySettings(address="auto"))).status is Status.SKIPPED


@pytest.mark.parametrize(("changed", "code"), [({}, 0), ({"APOYO_STORAGE__BLOB_DIR": "/proc/self/blobs"}, 1)])
def test_the_command(changed: dict[str, str], code: int) -> None:
    done = subprocess.run([sys.executable, "-m", "pipeline.cli.main", "doctor", "--jsonl"], cwd=ROOT, env={**os.environ, **changed},
                          capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["check"] for line in lines] == [
        "settings", "weights", "database", "key", "store", "clock", "ray", "port", "disk", "threads"]
    assert {line["check"] for line in lines if line["status"] == "broken"} == ({"store"} if code else set())


def test_the_page_of_settings_is_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference_page(), (
        "apoyo config reference --out docs/configuration.md")


def test_every_setting_has_its_words() -> None:
    for section, kind in Settings.model_fields.items():
        for name, field in kind.annotation.model_fields.items():  # type: ignore[union-attr]
            assert section in HIDDEN or field.description, f"{section}.{name} says nothing of itself"


@pytest.mark.parametrize(("variables", "named"), [
    ({}, []),
    ({"APOYO_STORGE__DATA_DIR": "/x", "APOYO_API__POORT": "1", "APOYO_WORKER__COUNT": "0"},
     ["APOYO_STORGE__DATA_DIR", "APOYO_API__POORT", "APOYO_WORKER__COUNT"]),
    ({"APOYO_DELIVERY__BACKOFF_SECONDS": "5, 60"}, ["APOYO_…__…"]),
    ({"APOYO_STORAGE__DATABASE_URL": "mysql://x/y"}, ["APOYO_STORAGE__DATABASE_URL"]),
    ({"APOYO_STORAGE__DATABASE_URL": "what is this"}, ["APOYO_STORAGE__DATABASE_URL"]),
    ({"APOYO_STORAGE__DATABASE_URL": "postgresql+psycopg://apoyo:hunter2@db/apoyo"}, ["APOYO_STORAGE__DATABASE_URL"]),
    ({"APOYO_STORAGE__S3_ENDPOINT": "s3.example"},
     ["APOYO_STORAGE__S3_ENDPOINT", "APOYO_STORAGE__S3_ENDPOINT", "APOYO_STORAGE__S3_ACCESS_KEY_FILE",
      "APOYO_STORAGE__S3_SECRET_KEY_FILE"]),
    ({"APOYO_WORKER__COUNT": "4", "APOYO_WORKER__MAX_COUNT": "2"}, ["APOYO_WORKER__MAX_COUNT"]),
    ({"APOYO_WORKER__HARD_DEADLINE_SECONDS": "5"}, ["APOYO_WORKER__HARD_DEADLINE_SECONDS"]),
    ({"APOYO_DELIVERY__SMTP_HOST": "smtp.example", "APOYO_DELIVERY__SMTP_USER": "x"},
     ["APOYO_DELIVERY__SMTP_PASSWORD_FILE", "APOYO_DELIVERY__MAIL_TO"]),
    ({"APOYO_IDENTITY__PUBLIC_URL": "apoyo.example/"}, ["APOYO_IDENTITY__PUBLIC_URL"]),
    ({"APOYO_IDENTITY__STAND_IN_URL": "http://provider.example"}, ["APOYO_IDENTITY__STAND_IN_URL"]),
    ({"APOYO_IDENTITY__GOOGLE_AUDIENCES": '["app"]'}, ["APOYO_IDENTITY__PUBLIC_URL"]),
    ({"APOYO_IDENTITY__STAND_IN_URL": "http://127.0.0.1:9100", "APOYO_IDENTITY__PUBLIC_URL": "https://apoyo.example"},
     ["APOYO_IDENTITY__STAND_IN_URL"]),
    ({"APOYO_RAY__ADDRESS": "auto"}, ["APOYO_RAY__TOKEN_FILE"]),
    ({"APOYO_STORAGE__DATABASE_PASSWORD_FILE": "/nowhere"}, ["APOYO_STORAGE__DATABASE_PASSWORD_FILE"]),
])
def test_the_settings_mistakes_are_all_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: list[str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = [*mistakes(), *contradictions()]
    assert [name for name, _ in said] == named
    assert "hunter2" not in str(said)
