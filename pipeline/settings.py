"""The settings, read once at an entry point and passed on in sections. The only module that touches os.environ.

Each value comes from an environment variable: `APOYO_` + section + `__` + name, as APOYO_API__PORT=9000 or
APOYO_STORAGE__DATA_DIR=/srv/apoyo. What is not set has a default that runs on one machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from pipeline.errors import Misconfigured

MIB = 1 << 20


def available_cores() -> int:
    """Cores this process may use: its affinity, cut by the cgroup's quota (v2, then v1). At least 1."""
    cores = len(os.sched_getaffinity(0))
    quota = _cgroup_quota()
    return max(1, min(cores, int(quota)) if quota else cores)


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPUs that the cgroup's quota is worth; None where there is no quota or no cgroup."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota, period = ((root / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return float(quota) / float(period) if quota != "max" and float(quota) > 0 else None
    except (OSError, ValueError):
        return None


class _Section(BaseModel):
    """Plain frozen data; an unknown name is an error, so that a typing mistake is not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StorageSettings(_Section):
    """Where rows, sealed bytes and keys lie. What is not set lies under `data_dir`."""

    data_dir: Path = Path("var")
    database_url: str = ""
    """A SQLAlchemy URL: postgresql+psycopg://USER@HOST:PORT/NAME; empty: SQLite in `data_dir`/apoyo.sqlite3."""
    database_password_file: Path | None = None
    """PostgreSQL's password, so that it need not stand in the URL."""
    blob_dir: Path = Path()
    s3_endpoint: str = ""
    """http(s)://HOST[:PORT] of a store that speaks S3; empty: the folder `blob_dir`."""
    s3_bucket: str = "apoyo"
    """Must be there already."""
    s3_region: str = "us-east-1"
    s3_access_key_file: Path | None = None
    s3_secret_key_file: Path | None = None
    key_file: Path = Path()
    """The key-encryption key (32 bytes as hex, mode 0600); made at the first start."""
    client_secret_file: Path = Path()
    """Where the first client's secret is written (mode 0600)."""

    @model_validator(mode="before")
    @classmethod
    def _under_data_dir(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        root = Path(values.get("data_dir") or "var").absolute()
        defaults = {"database_url": f"sqlite:///{root / 'apoyo.sqlite3'}", "blob_dir": root / "blobs",
                    "key_file": root / "keys" / "kek", "client_secret_file": root / "client-secret"}
        given = {name: value for name, value in values.items() if value not in ("", None)}
        return {**defaults, **given, "data_dir": root}


class ApiSettings(_Section):
    """The door. Limits hold before a body is read."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    max_body_bytes: int = Field(default=25 * MIB, gt=0)
    max_in_flight_bytes: int = Field(default=200 * MIB, gt=0)
    """Bodies being received at one time, together; past it the answer is 503 with Retry-After."""
    requests_a_minute: int = Field(default=6_000, gt=0)
    """From one client; past it 429. 100 a second: more than two cores verify, with room for polling."""
    max_storing: int = Field(default=32, gt=0)
    """Requests being stored at one time; past it too. Below the 40 threads of the process, so that reading goes on."""
    max_streams: int = Field(default=64, ge=0)
    """Streams of events that one process holds; past it the answer is 503. Each reads one row four times a second."""
    shared_metrics: bool = False
    """/metrics adds up every process that writes to PROMETHEUS_MULTIPROC_DIR; `apoyo serve` sets both."""


class WorkerSettings(_Section):
    """How work is leased (design, decision 5)."""

    count: int = Field(default_factory=available_cores, ge=1)
    """Workers, each on one core; where `max_count` is more, the fewest that are kept."""
    max_count: int = Field(default=0, ge=0)
    """The most workers that a backlog brings up; 0: always `count`. For a Ray whose autoscaler adds nodes for them."""
    lease_seconds: float = Field(default=10.0, gt=0)
    heartbeat_seconds: float = Field(default=2.0, gt=0)
    hard_deadline_seconds: float = Field(default=20.0, gt=0)
    """No attempt lasts longer: the heartbeat stops and the process ends, so that hung native code cannot renew for ever."""
    max_attempts: int = Field(default=3, ge=1)
    poll_seconds: float = Field(default=0.1, gt=0)
    """How long an idle worker waits before it asks for work again."""
    log_file: Path | None = None
    """Where the workers add their log lines; None: their stderr, which Ray keeps among its session's files."""

    @model_validator(mode="after")
    def _ordered(self) -> WorkerSettings:
        if not self.heartbeat_seconds * 2 <= self.lease_seconds:
            raise ValueError("heartbeat_seconds must be at most half of lease_seconds, or one late beat loses the lease")
        return self


class DeliverySettings(_Section):
    """How events are told: by webhooks to backends, by mail to the operator."""

    retake_wait_seconds: float = Field(default=60.0, ge=0)
    """A citizen who takes a picture again at once raises one event, not two."""
    backoff_seconds: tuple[float, ...] = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    """Waits between the attempts at one delivery: 75 hours in all, a long weekend; past the last it is dead."""
    attempt_seconds: float = Field(default=15.0, gt=0)
    """One attempt, from the look-up of the name to the answer's status."""
    poll_seconds: float = Field(default=0.25, gt=0)
    allow_loopback: bool = False
    """For tests and demonstrations: receivers on this machine, and http to them."""
    ca_file: Path | None = None
    """Certificates that receivers' are checked against; None: the system's."""
    mail_to: str = ""
    """The operator, told of what could not be delivered; empty: operator@localhost."""
    mail_from: str = "apoyo@localhost"
    mail_dir: Path = Path()
    """Where mail is put while `smtp_host` is empty; not set: `mail` under the data."""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_starttls: bool = True
    smtp_user: str = ""
    smtp_password_file: Path | None = None


class RaySettings(_Section):
    """The embedded one-node Ray, or the cluster that is there already."""

    address: str = ""
    """HOST:PORT of a cluster with a node on this machine, or `auto`; empty: a node of our own, on loopback."""
    object_store_bytes: int = Field(default=200 * MIB, ge=80 * MIB)
    token_file: Path = Path()
    """Ray's shared token (mode 0600); made at the first start, or the one of the cluster at `address`."""


class FaultSettings(_Section):
    """For tests alone: where processes break on purpose (pipeline.faults)."""

    points: str = ""


class Settings(_Section):
    """All sections. `Settings.load()` reads the environment; tests build it from values."""

    storage: StorageSettings = Field(default_factory=StorageSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    ray: RaySettings = Field(default_factory=RaySettings)
    faults: FaultSettings = Field(default_factory=FaultSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)

    @model_validator(mode="after")
    def _under_data_dir(self) -> Settings:
        if self.ray.token_file == Path():
            ray = self.ray.model_copy(update={"token_file": self.storage.data_dir / "keys" / "ray-token"})
            object.__setattr__(self, "ray", ray)
        if self.delivery.mail_dir == Path():
            delivery = self.delivery.model_copy(update={"mail_dir": self.storage.data_dir / "mail"})
            object.__setattr__(self, "delivery", delivery)
        return self

    @staticmethod
    def load() -> Settings:
        """From the environment. Raises `Misconfigured` that names the variable, never its value."""
        try:
            read = _Environment()
            return Settings(storage=read.storage, api=read.api, worker=read.worker, ray=read.ray, faults=read.faults,
                            delivery=read.delivery)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            name = "APOYO_" + "__".join(str(place) for place in first["loc"]).upper()
            raise Misconfigured(f"{name}: {first['msg']}", code="bad_setting") from None
        except SettingsError as error:  # a list that is no JSON; the text names the section and not the value
            raise Misconfigured(f"a variable of APOYO_…__…: {error}", code="bad_setting") from None

    def environment(self) -> dict[str, str]:
        """The variables from which a child's `Settings.load()` gives this same value."""
        return {f"APOYO_{section.upper()}__{name.upper()}": str(value)
                for section, values in self.model_dump(mode="json").items()
                for name, value in values.items() if value is not None}


class _Environment(BaseSettings):
    """How pydantic-settings is asked; unknown variables of the prefix are refused by the sections themselves."""

    model_config = SettingsConfigDict(env_prefix="APOYO_", env_nested_delimiter="__", frozen=True, extra="ignore")

    storage: StorageSettings = Field(default_factory=StorageSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    ray: RaySettings = Field(default_factory=RaySettings)
    faults: FaultSettings = Field(default_factory=FaultSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)


def child_environment(settings: Settings, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the settings (and `extra`) laid over it: for starting a child."""
    return {**os.environ, **settings.environment(), **(extra or {})}


def export(values: Mapping[str, str]) -> None:
    """Set variables in this process, for libraries that read nothing else (Ray, OpenMP). Before they are imported."""
    os.environ.update(values)
