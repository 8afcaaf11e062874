"""A client's certificate, from its handshake with a real proxy (HAProxy, with the file that k8s/proxy holds) to the API."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from benchmarks.security.door import GOOD
from benchmarks.security.served import Served, served
from pipeline.records.client_keys import add_key, read_public_part, remove_key
from pipeline.records.clients import Client, add_client, new_secret
from pipeline.records.storage import Storage, open_storage
from pipeline.settings import StorageSettings

pytestmark = [pytest.mark.system, pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy (Debian's package)")]
CONFIGURATION = Path(__file__).parents[2] / "k8s" / "proxy" / "haproxy.cfg"
PROXY, PROXY_S_SOURCE = "127.0.0.1", "127.0.0.9"
"""The API believes the second alone: what comes from the first went around the proxy."""
NOW = datetime.now(UTC)
LIST = "/v1/supports"


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(Encoding.PEM) + private

    def header(self) -> dict[str, str]:
        """As the proxy tells it."""
        return {"Client-Cert": f":{base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()}:"}


def issued(name: str, by: Issued | None = None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(by.certificate.subject if by else subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(PROXY))]), critical=False))
    return Issued(made.sign(by.key if by else key, hashes.SHA256()), key)


CA = issued("authority")
SERVER, KNOWN, NOBODYS, FOREIGN = issued("api", CA), issued("app", CA), issued("app", CA), issued("app", issued("authority"))


@dataclass(frozen=True)
class Scene:
    folder: Path
    api: Served
    storage: Storage
    client: Client
    port: int

    def tls(self, shown: Issued | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=CA.certificate.public_bytes(Encoding.PEM).decode())
        if shown is not None:
            file = self.folder / f"{shown.certificate.serial_number}.pem"
            file.write_bytes(shown.pem())
            context.load_cert_chain(file)
        return context

    def through(self, shown: Issued | None) -> httpx.Client:
        return httpx.Client(base_url=f"https://{PROXY}:{self.port}", verify=self.tls(shown), timeout=20)


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind((PROXY, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, data, port = tmp_path_factory.mktemp("proxy"), tmp_path_factory.mktemp("api"), a_port()
    (folder / "server.pem").write_bytes(SERVER.pem())
    (folder / "ca.pem").write_bytes(CA.certificate.public_bytes(Encoding.PEM))
    with served(data, certificates_from=[PROXY_S_SOURCE]) as api:
        storage = open_storage(StorageSettings(data_dir=data))
        client = add_client(storage.engine, "app", new_secret())
        add_key(storage.engine, client.id, read_public_part(KNOWN.certificate.public_bytes(Encoding.PEM)))
        named = {"LISTEN": f"{PROXY}:{port}", "CERTIFICATE": str(folder / "server.pem"), "CLIENTS_CA": str(folder / "ca.pem"),
                 "API": f"{api.host}:{api.port}", "SOURCE": PROXY_S_SOURCE}
        with (folder / "log").open("wb") as log:
            proxy = subprocess.Popen(["haproxy", "-db", "-f", str(CONFIGURATION)], env={**os.environ, **named}, stderr=log, stdout=log)
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and socket.socket().connect_ex((PROXY, port)):
                assert proxy.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            yield Scene(folder, api, storage, client, port)
        finally:
            proxy.terminate()
            proxy.wait(20)


def test_the_certificate_of_the_handshake_is_the_client(scene: Scene) -> None:
    with scene.through(KNOWN) as known:
        sent = known.post(LIST, files={name: (name, data) for name, data in GOOD.items()}, headers={"Idempotency-Key": "by-certificate"})
        assert sent.status_code == 202
        assert [one["id"] for one in known.get(LIST).json()["data"]] == [sent.json()["id"]]
    assert scene.api.client.get(LIST).json()["data"] == []  # the first client's own, and none of the other's


@pytest.mark.parametrize(("shown", "headers"), [
    (None, {}), (NOBODYS, {}), (None, KNOWN.header()), (NOBODYS, KNOWN.header()),
    (None, {"client-cert": KNOWN.header()["Client-Cert"]}), (None, {"Client-Cert": "", **KNOWN.header()})],
    ids=["none", "nobody's", "none, and says another's", "nobody's, and says another's", "in small letters", "said twice"])
def test_no_other_is_and_what_a_client_says_of_one_is_taken_away(scene: Scene, shown: Issued | None, headers: dict[str, str]) -> None:
    with scene.through(shown) as other:
        assert other.get(LIST, headers=headers).status_code == 401


def test_who_goes_around_the_proxy_is_not_believed(scene: Scene) -> None:
    assert httpx.get(f"http://{scene.api.host}:{scene.api.port}{LIST}", headers=KNOWN.header()).status_code == 401


def test_a_certificate_that_the_authority_did_not_issue_ends_the_handshake(scene: Scene) -> None:
    with scene.through(FOREIGN) as other, pytest.raises(httpx.TransportError):
        other.get(LIST)


def test_a_secret_passes_without_a_certificate(scene: Scene) -> None:
    with scene.through(None) as other:
        assert other.get(LIST, headers={"Authorization": f"Bearer {scene.api.secret}"}).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz"])
def test_probes_and_metrics_stay_within(scene: Scene, path: str) -> None:
    with scene.through(KNOWN) as known:
        assert known.get(path).status_code == 404
    assert scene.api.client.get(path).status_code == 200


def test_a_session_that_is_resumed_keeps_its_certificate(scene: Scene) -> None:
    context, ticket, resumed = scene.tls(KNOWN), None, []
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the session is known before the first byte
    for _ in range(2):
        with socket.create_connection((PROXY, scene.port), 20) as plain, \
                context.wrap_socket(plain, server_hostname=PROXY, session=ticket) as connection:
            connection.sendall(f"GET {LIST} HTTP/1.1\r\nHost: {PROXY}\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
            resumed.append(connection.session_reused)
            ticket = connection.session
    assert resumed == [False, True]


def test_one_that_was_removed_opens_nothing(scene: Scene) -> None:
    remove_key(scene.storage.engine, scene.client.id, read_public_part(KNOWN.certificate.public_bytes(Encoding.PEM)).id)
    with scene.through(KNOWN) as former:
        assert former.get(LIST).status_code == 401
