"""Settings: from the environment, in sections, with a mistake named and never a value shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import settings as module
from pipeline.blobs.files import read_or_make_secret, read_secret
from pipeline.errors import Misconfigured
from pipeline.settings import Settings, WorkerSettings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("APOYO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_run_on_one_machine(tmp_path: Path) -> None:
    settings = Settings.load()
    assert (settings.api.host, settings.api.port, settings.api.max_body_bytes) == ("127.0.0.1", 8080, 25 * 2**20)
    assert settings.storage.database_url == f"sqlite:///{tmp_path}/var/apoyo.sqlite3"
    assert settings.storage.key_file == tmp_path / "var/keys/kek"
    assert settings.ray.token_file == tmp_path / "var/keys/ray-token"
    assert (settings.worker.max_attempts, settings.worker.hard_deadline_seconds) == (3, 20)


def test_one_folder_moves_everything_and_one_value_stays_where_it_is_put(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__DATA_DIR", "/srv/apoyo")
    monkeypatch.setenv("APOYO_STORAGE__KEY_FILE", "/run/secrets/kek")
    settings = Settings.load()
    assert settings.storage.blob_dir == Path("/srv/apoyo/blobs")
    assert settings.storage.key_file == Path("/run/secrets/kek")
    assert settings.ray.token_file == Path("/srv/apoyo/keys/ray-token")


@pytest.mark.parametrize(("name", "value"), [
    ("APOYO_API__PORT", "eighty"), ("APOYO_API__PORT", "70000"), ("APOYO_API__POORT", "80"), ("APOYO_WORKER__COUNT", "0"),
    ("APOYO_WORKER__LEASE_SECONDS", "3")])
def test_a_mistake_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as caught:
        Settings.load()
    assert name.split("__")[0] in caught.value.detail
    assert value not in caught.value.detail or value == "3"


@pytest.mark.parametrize(("content", "mode", "code"), [
    (None, 0o600, "secret_unreadable"), ("  \n", 0o600, "secret_empty"), ("s3cret\n", 0o644, "secret_not_private"),
    ("s3cret\n", 0o600, None), ("s3cret\n", 0o440, None)])
def test_a_secret_comes_from_a_file_that_not_everybody_reads(tmp_path: Path, content: str | None, mode: int, code: str | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    if code is None:
        assert read_secret(file, "the password") == "s3cret"
        return
    with pytest.raises(Misconfigured) as caught:
        read_secret(file, "the password")
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away, as a mounted one is another's")
@pytest.mark.parametrize(("mode", "owner", "accepted"), [(0o440, 65_534, True), (0o444, 65_534, False), (0o440, 0, False)])
def test_a_mounted_key_may_be_read_by_the_group(tmp_path: Path, mode: int, owner: int, accepted: bool) -> None:
    file = tmp_path / "kek"
    file.write_text("ab\n")
    file.chmod(mode)
    os.chown(file, owner, 0)
    if accepted:
        assert read_or_make_secret(file, str) == "ab"
        return
    with pytest.raises(Misconfigured) as caught:
        read_or_make_secret(file, str)
    assert caught.value.code == "secret_not_private"


def test_a_child_reads_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_API__PORT", "9000")
    monkeypatch.setenv("APOYO_STORAGE__S3_ENDPOINT", "https://s3.example")
    monkeypatch.setenv("APOYO_STORAGE__S3_SECRET_KEY_FILE", "/run/secrets/s3")
    monkeypatch.setenv("APOYO_WORKER__COUNT", "7")
    settings = Settings.load()
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings.load().api.port = 1  # type: ignore[misc]


def test_a_heartbeat_that_could_lose_its_lease_is_refused() -> None:
    with pytest.raises(ValidationError):
        WorkerSettings(lease_seconds=3, heartbeat_seconds=2)


@pytest.mark.parametrize(("files", "cores"), [
    ({"cpu.max": "200000 100000"}, 2.0), ({"cpu.max": "max 100000"}, None), ({"cpu.max": "150000 100000"}, 1.5),
    ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
    ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None), ({"cpu.max": "what"}, None), ({}, None)])
def test_the_cgroups_quota_is_read(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert module._cgroup_quota(tmp_path) == cores


def test_a_child_reads_lists_as_they_were_given() -> None:
    given = Settings.model_validate({"identity": {"google_audiences": ["one", "it's \"two\""]}, "delivery": {"backoff_seconds": [1, 2.5]}})
    environment = given.environment()
    assert json.loads(environment["APOYO_IDENTITY__GOOGLE_AUDIENCES"]) == ["one", "it's \"two\""]
    assert json.loads(environment["APOYO_DELIVERY__BACKOFF_SECONDS"]) == [1.0, 2.5]
