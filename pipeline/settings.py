"""The settings, read once at an entry point and passed on in sections. The only module that touches os.environ.

Each value comes from an environment variable: `APOYO_` + section + `__` + name, as APOYO_API__PORT=9000 or
APOYO_STORAGE__DATA_DIR=/srv/apoyo. What is not set has a default that runs on one machine.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from pipeline.domain.plan import Device, Place, Wish
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
    """Plain frozen data; an unknown name is an error, so that a typing mistake is not a silent default.

    The words under each value, and its example, are docs/configuration.md (`apoyo config reference`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StorageSettings(_Section):
    """Where rows, sealed bytes and keys lie. What is not set lies under `data_dir`."""

    data_dir: Path = Field(default=Path("var"), examples=["/srv/apoyo"])
    """The folder under which everything lies that has no place of its own."""
    database_url: str = Field(default="", examples=["postgresql+psycopg://apoyo@db.example:5432/apoyo"])
    """A SQLAlchemy URL: postgresql+psycopg://USER@HOST:PORT/NAME; empty: SQLite in `data_dir`/apoyo.sqlite3."""
    database_password_file: Path | None = Field(default=None, examples=["/run/secrets/database"])
    """PostgreSQL's password, so that it need not stand in the URL."""
    blob_dir: Path = Field(default=Path(), examples=["/srv/pictures"])
    """The folder of the sealed pictures, where no S3 store is set; not set: `blobs` under the data."""
    s3_endpoint: str = Field(default="", examples=["https://s3.example:9000"])
    """http(s)://HOST[:PORT] of a store that speaks S3; empty: the folder `blob_dir`."""
    s3_bucket: str = "apoyo"
    """Must be there already."""
    s3_region: str = "us-east-1"
    """What requests are signed for; most stores but AWS take any."""
    s3_public_endpoint: str = Field(default="", examples=["https://pictures.example"])
    """By which backends reach the store that take pictures there themselves (docs/api.md); empty: `s3_endpoint`."""
    s3_access_key_file: Path | None = Field(default=None, examples=["/run/secrets/s3-access"])
    """The store's access key; needed with `s3_endpoint`."""
    s3_secret_key_file: Path | None = Field(default=None, examples=["/run/secrets/s3-secret"])
    """The store's secret key; needed with `s3_endpoint`."""
    key_file: Path = Field(default=Path(), examples=["/run/secrets/kek"])
    """The key-encryption key (32 bytes as hex, mode 0600); made at the first start; not set: `keys/kek` under the data."""
    key_variable: str = Field(default="", examples=["APOYO_KEK"])
    """The environment variable that holds what the file would: for secrets that are handed over so; empty: the file."""
    key_service_url: str = Field(default="", examples=["https://bao.example:8200/v1/transit"])
    """A key-management service that wraps supports' keys and gives none out (OpenBao's or Vault's `transit`); empty: the file."""
    key_service_key: str = Field(default="apoyo", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The key's name there; a second one, of this name and `-search`, is what digests are made under."""
    key_service_token_file: Path | None = Field(default=None, examples=["/run/secrets/key-service"])
    """What lets this installation ask; read before each call, so that an agent may renew it. Needed with `key_service_url`."""
    key_service_ca_file: Path | None = Field(default=None, examples=["/etc/apoyo/ca.pem"])
    """Whose certificates of the service are believed; not set: the system's."""
    pack_key_file: Path = Field(default=Path(), examples=["/run/secrets/packs"])
    """Signs evidence packs (Ed25519, 32 bytes as hex, mode 0600); made at first need; not set: `keys/packs` under the data."""
    receipt_key_file: Path = Field(default=Path(), examples=["/run/secrets/receipts"])
    """Signs receipts of erasures (Ed25519, 32 bytes as hex, mode 0600); made when first needed; not set: `keys/receipts` under
    the data."""
    client_secret_file: Path = Field(default=Path(), examples=["/run/secrets/client"])
    """Where the first client's secret is written (mode 0600); not set: `client-secret` under the data."""

    @model_validator(mode="before")
    @classmethod
    def _under_data_dir(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        root = Path(values.get("data_dir") or "var").absolute()
        defaults = {"database_url": f"sqlite:///{root / 'apoyo.sqlite3'}", "blob_dir": root / "blobs",
                    "key_file": root / "keys" / "kek", "pack_key_file": root / "keys" / "packs",
                    "receipt_key_file": root / "keys" / "receipts",
                    "client_secret_file": root / "client-secret"}
        given = {name: value for name, value in values.items() if value not in ("", None)}
        return {**defaults, **given, "data_dir": root}


class ApiSettings(_Section):
    """The door. Limits hold before a body is read."""

    host: str = Field(default="127.0.0.1", examples=["10.0.0.5"])
    """Where the API listens. Beyond loopback only behind something that ends TLS."""
    port: int = Field(default=8080, ge=0, le=65535)
    """0 takes a free one (`apoyo serve` alone)."""
    max_body_bytes: int = Field(default=25 * MIB, gt=0)
    """One request's body, past it 413: four pictures as phones take them, with room."""
    max_in_flight_bytes: int = Field(default=200 * MIB, gt=0)
    """Bodies being received at one time, together; past it the answer is 503 with Retry-After."""
    requests_a_minute: int = Field(default=6_000, gt=0)
    """From one client; past it 429. 100 a second: more than two cores verify, with room for polling."""
    device_requests_a_minute: int = Field(default=120, gt=0)
    """From one phone, known by its proof; past it 429. Two a second: a day's work, captured offline, comes in bit by bit."""
    max_storing: int = Field(default=12, gt=0)
    """Requests from the door to their 202 at one time; past it too, at once. More only wait longer for each other: twelve keep
    two cores and a disk busy (`apoyo bench load`). Below the 40 threads of the process, so that reading goes on."""
    upload_seconds: int = Field(default=3600, ge=60, le=43_200)
    """How long a backend has to put pictures into the store itself and commit them: less than the day for which unnamed blobs
    stay."""
    max_uploads: int = Field(default=5_000, gt=0)
    """Such uploads that one client may have open; past it 429. An hour at one a second, with room."""
    max_streams: int = Field(default=64, ge=0)
    """Streams of events that one process holds; past it the answer is 503. Each reads one row four times a second."""
    certificates_from: tuple[str, ...] = Field(default=(), examples=['["10.0.0.7", "10.1.0.0/16"]'])
    """Addresses of proxies that end TLS, check clients' certificates and tell them in `Client-Cert` (RFC 9440); they must take
    the header away where a client sent it. Empty: the header counts for nothing."""
    shared_metrics: bool = False
    """/metrics adds up every process that writes to PROMETHEUS_MULTIPROC_DIR; `apoyo serve` sets both."""

    @field_validator("certificates_from")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            ipaddress.ip_network(one)
        return value


class WorkerSettings(_Section):
    """How work is leased (design, decision 5)."""

    count: int = Field(default_factory=available_cores, ge=1)
    """Workers, each on one core; where `max_count` is more, the fewest that are kept."""
    max_count: int = Field(default=0, ge=0)
    """The most workers that a backlog brings up; 0: always `count`. For a Ray whose autoscaler adds nodes for them."""
    lease_seconds: float = Field(default=10.0, gt=0, le=60)
    """How long a support waits for another worker after its own died."""
    heartbeat_seconds: float = Field(default=2.0, gt=0)
    """How often a lease is renewed: at most a third of it."""
    hard_deadline_seconds: float = Field(default=20.0, gt=0)
    """No attempt lasts longer: the process ends. One of which nothing runs any more ends sooner, before its lease does."""
    memory_bytes: int = Field(default=4096 * MIB, ge=1024 * MIB)
    """What a worker without a GPU may hold, five times what it needs: a picture that wants more fails, and nobody else does."""
    max_attempts: int = Field(default=3, ge=1)
    """After so many that ended without a verdict a support goes to a person, unexamined."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How long an idle worker waits before it asks for work that nobody told it of: leases that ran out, waits that are over."""
    sleep_seconds: float = Field(default=900.0, ge=0)
    """After so long without work an own Ray node and its workers end, and are started again by the next support, which waits some
    seconds longer; 0: never. A cluster's Ray is left as it is."""
    log_file: Path | None = Field(default=None, examples=["/var/log/apoyo/workers.log"])
    """Where the workers add their log lines; None: their stderr, which Ray keeps among its session's files."""

    @model_validator(mode="after")
    def _ordered(self) -> WorkerSettings:
        if not self.heartbeat_seconds * 3 <= self.lease_seconds:
            raise ValueError("heartbeat_seconds must be at most a third of lease_seconds, or one late beat loses the lease")
        return self

    @property
    def silence_seconds(self) -> float:
        """How long nothing of a process that holds a lease may run: it ends before its lease does, also where the last beat came
        just before the silence began and the database's answer took a beat's time."""
        return self.lease_seconds - 2 * self.heartbeat_seconds


class NetworkSettings(_Section):
    """Where the networks run (`apoyo plan` shows what follows on this machine)."""

    place: Place | None = None
    """`local`: in each worker. `remote`: in a server a GPU, which batches over the supports of all workers. Not set: local."""
    device: Device | None = None
    """`cpu`, `cuda` or `tensorrt`; a start fails where it is not to be had. Not set: cuda where it is, else cpu."""
    servers: int | None = Field(default=None, ge=1)
    """Of a remote plan; not set: as many as there are GPUs."""
    largest_batch: int = Field(default=8, ge=1, le=128)
    """Items that a GPU, or a server, runs together at most: a power of 2."""
    graphs: bool = True
    """On CUDA, each shape is kept as a graph: half the time a call, and some 50 MB of the GPU's memory a shape. false: where 3 GB
    a worker are too much."""
    gpu_jpeg: bool = False
    """Photos are decoded on the GPU too (needs nvidia-nvimgcodec)."""

    @field_validator("place", "device", "servers", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    def wish(self, workers: int) -> Wish:
        return Wish(workers, self.place, self.device, self.servers, self.largest_batch, self.graphs, self.gpu_jpeg)


class DeliverySettings(_Section):
    """How events are told: by webhooks to backends, by mail to the operator."""

    retake_wait_seconds: float = Field(default=60.0, ge=0)
    """A citizen who takes a picture again at once raises one event, not two."""
    backoff_seconds: tuple[float, ...] = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    """Waits between the attempts at one delivery: 75 hours in all, a long weekend; past the last it is dead."""
    attempt_seconds: float = Field(default=15.0, gt=0)
    """One attempt, from the look-up of the name to the answer's status."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How long the deliverer waits before it looks for what nobody told it of: attempts and waits whose time has come."""
    kept_days: float = Field(default=90, gt=4)
    """Events, deliveries and jobs that are done are removed by `apoyo reap` after so many days: more than attempts last."""
    allow_loopback: bool = False
    """For tests and demonstrations: receivers on this machine, and http to them."""
    ca_file: Path | None = Field(default=None, examples=["/etc/ssl/private-ca.pem"])
    """Certificates that receivers' are checked against; None: the system's."""
    mail_to: str = Field(default="", examples=["operator@example.org"])
    """The operator, told of what could not be delivered; empty: operator@localhost."""
    mail_from: str = Field(default="apoyo@localhost", examples=["apoyo@example.org"])
    """The sender that mail names."""
    mail_dir: Path = Field(default=Path(), examples=["/srv/apoyo/mail"])
    """Where mail is put while `smtp_host` is empty; not set: `mail` under the data."""
    smtp_host: str = Field(default="", examples=["smtp.example.org"])
    """The server that takes mail; empty: it is put into `mail_dir`."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """The server's port."""
    smtp_starttls: bool = True
    """Mail is sent over TLS or not at all."""
    smtp_user: str = Field(default="", examples=["apoyo"])
    """Who signs in there; empty: nobody does."""
    smtp_password_file: Path | None = Field(default=None, examples=["/run/secrets/smtp"])
    """With which password; needed with `smtp_user`."""


_PROVIDER_URL = r"^(https://[^/?#\s]+|http://127\.0\.0\.1:[0-9]{1,5})(/[^?#\s]*)?$"
"""By TLS, or on this machine."""


class IdentitySettings(_Section):
    """Who sends: the phone's proof, and the account that a provider vouches for."""

    public_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?)?$", examples=["https://apoyo.example"])
    """By which phones name this API in their proofs (`htu`), without a slash at its end; empty: that of HOST and PORT."""
    proof_seconds: int = Field(default=300, ge=10, le=3600)
    """How old a device's proof may be. Phones' clocks are off by minutes; one that is further off needs the nonce."""
    require_nonce: bool = False
    """A proof must carry a nonce of ours, so that none can be made ahead; the phone then asks twice the first time."""
    token_seconds: int = Field(default=900, ge=60, le=86_400)
    """How long the token of an activated phone lasts."""
    google_audiences: tuple[str, ...] = Field(default=(), examples=['["123.apps.googleusercontent.com"]'])
    """The app's client ids at Google; empty: accounts of Google are not taken."""
    google_keys_url: str = Field(default="https://www.googleapis.com/oauth2/v3/certs", pattern=_PROVIDER_URL)
    """Where Google's keys are."""
    facebook_audiences: tuple[str, ...] = Field(default=(), examples=['["1234567890"]'])
    """The app's ids at Facebook (Limited Login); empty: accounts of Facebook are not taken."""
    facebook_keys_url: str = Field(default="https://limited.facebook.com/.well-known/oauth/openid/jwks/", pattern=_PROVIDER_URL)
    """Where Facebook's keys are."""
    x_api_url: str = Field(default="", pattern=f"^$|{_PROVIDER_URL}", examples=["https://api.x.com"])
    """X's API; empty: accounts of X are not taken."""
    stand_in_url: str = Field(default="", pattern=r"^(http://127\.0\.0\.1(:[0-9]{1,5})?)?$", examples=["http://127.0.0.1:9100"])
    """For tests and demonstrations: a provider on this machine that vouches for anybody. Empty: there is none."""


class TracingSettings(_Section):
    """Traces of supports, for who looks for where time goes."""

    url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$", examples=["http://collector:4318/v1/traces"])
    """Where spans are sent, as OTLP over HTTP in JSON; empty: there are none."""
    share: float = Field(default=1.0, ge=0, le=1)
    """Of the supports that come without a `traceparent`, how many are traced; one that comes with it says so itself."""


class RaySettings(_Section):
    """The embedded one-node Ray, or the cluster that is there already."""

    address: str = Field(default="", examples=["auto"])
    """HOST:PORT of a cluster with a node on this machine, or `auto`; empty: a node of our own, on loopback."""
    object_store_bytes: int = Field(default=200 * MIB, ge=80 * MIB)
    """Shared memory of a node of our own; hardly anything crosses it. Ray takes no less than 80 MiB."""
    token_file: Path = Field(default=Path(), examples=["/run/secrets/ray/auth_token"])
    """Ray's shared token (mode 0600), the one of the cluster at `address`, or made at the first start; not set: `keys/ray-token`
    under the data."""


class FaultSettings(_Section):
    """For tests alone: where processes break on purpose (pipeline.faults)."""

    points: str = ""


class Settings(_Section):
    """All sections. `Settings.load()` reads the environment; tests build it from values."""

    storage: StorageSettings = Field(default_factory=StorageSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    networks: NetworkSettings = Field(default_factory=NetworkSettings)
    ray: RaySettings = Field(default_factory=RaySettings)
    faults: FaultSettings = Field(default_factory=FaultSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)

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
            return Settings(storage=read.storage, api=read.api, worker=read.worker, networks=read.networks, ray=read.ray,
                            faults=read.faults, delivery=read.delivery, identity=read.identity, tracing=read.tracing)
        except ValidationError as error:
            name, message = _named(error)[0]
            raise Misconfigured(f"{name}: {message}", code="bad_setting") from None
        except SettingsError as error:  # a list that is no JSON; the text names the section and not the value
            raise Misconfigured(f"a variable of APOYO_…__…: {error}", code="bad_setting") from None

    def environment(self) -> dict[str, str]:
        """The variables from which a child's `Settings.load()` gives this same value."""
        return {f"APOYO_{section.upper()}__{name.upper()}": json.dumps(value) if isinstance(value, list) else str(value)
                for section, values in self.model_dump(mode="json").items()
                for name, value in values.items() if value is not None}


def mistakes() -> list[tuple[str, str]]:
    """All that is wrong with the environment, as (variable, what is wrong); `Settings.load` stops at the first. Never a value."""
    sections = [f"APOYO_{name.upper()}" for name in Settings.model_fields]
    found = [(name, "no such section: there are " + ", ".join(sections)) for name in sorted(os.environ)
             if name.upper().startswith("APOYO_") and "__" in name and name.upper().partition("__")[0] not in sections]
    try:
        _Environment()
    except ValidationError as error:
        found += _named(error)
    except SettingsError as error:
        found.append(("APOYO_…__…", str(error)))
    return found


def _named(error: ValidationError) -> list[tuple[str, str]]:
    """Each mistake with the variable that it is in."""
    return [("APOYO_" + "__".join(str(place) for place in one["loc"]).upper(), one["msg"])
            for one in error.errors(include_input=False, include_url=False)]


class _Environment(BaseSettings):
    """How pydantic-settings is asked; unknown variables of the prefix are refused by the sections themselves."""

    model_config = SettingsConfigDict(env_prefix="APOYO_", env_nested_delimiter="__", frozen=True, extra="ignore")

    storage: StorageSettings = Field(default_factory=StorageSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    networks: NetworkSettings = Field(default_factory=NetworkSettings)
    ray: RaySettings = Field(default_factory=RaySettings)
    faults: FaultSettings = Field(default_factory=FaultSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    identity: IdentitySettings = Field(default_factory=IdentitySettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)


def child_environment(settings: Settings, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the settings (and `extra`) laid over it: for starting a child."""
    return {**os.environ, **settings.environment(), **(extra or {})}


def variable(name: str) -> str:
    """A secret that a setting names by its variable. Raises `Misconfigured`."""
    if not os.environ.get(name):
        raise Misconfigured(f"the variable {name} is not set", code="secret_empty")
    return os.environ[name]


def export(values: Mapping[str, str]) -> None:
    """Set variables in this process, for libraries that read nothing else (Ray, OpenMP). Before they are imported."""
    os.environ.update(values)
