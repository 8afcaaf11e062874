"""Clients known by a key: what an assertion must say, that each is used once, and whose word of a certificate is believed."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from api.app import create_app
from api.identity.client_proof import ClientProofs
from pipeline.cli.main import app as command
from pipeline.errors import BadInput, BadToken, Conflict
from pipeline.records.client_keys import KeyKind, add_key, find_key, list_keys, read_public_part, remove_key
from pipeline.records.clients import Client, add_client, new_secret, revoke_client
from pipeline.records.storage import Storage, open_storage
from pipeline.settings import ApiSettings, IdentitySettings, StorageSettings
from tests.contract.intake_makers import URL
from tests.contract.test_api_refusals import check_problem
from tests.phones import b64, packed

BASE = "https://apoyo.example"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY, OTHER, RSA = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def pem(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def kid(key: Private) -> str:
    """As it is documented: SHA-256 over the DER of the public key."""
    return hashlib.sha256(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def assertion(client: Client, key: Private = KEY, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Signed by cryptography alone, claim by claim as docs/api.md says. A claim changed to None is left out."""
    at = int(NOW.timestamp())
    claims = {"iss": client.id, "sub": client.id, "aud": BASE, "iat": at, "exp": at + 60, "jti": "first-use-0001", **changes}
    named = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA"
    head = {"alg": named, "kid": kid(key), **(header or {})}
    signed = f"{packed(head)}.{packed({name: value for name, value in claims.items() if value is not None})}"
    if isinstance(key, rsa.RSAPrivateKey):
        return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return f"{signed}.{b64(key.sign(signed.encode()))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def proofs(storage: Storage, *proxies: str) -> ClientProofs:
    return ClientProofs(BASE, proxies, storage, lambda: NOW)


@pytest.fixture
def client(storage: Storage) -> Client:
    made = add_client(storage.engine, "app", new_secret())
    for key in (KEY, RSA, ED):
        add_key(storage.engine, made.id, read_public_part(pem(key)))
    return made


@pytest.mark.parametrize("key", [KEY, RSA, ED])
@pytest.mark.parametrize("changes", [{}, {"aud": [BASE]}, {"exp": int(NOW.timestamp()) + 300}, {"iat": int(NOW.timestamp()) + 59}])
def test_what_a_clients_key_signs_is_the_client(storage: Storage, client: Client, key: Private, changes: dict[str, Any]) -> None:
    assert proofs(storage).by_assertion(assertion(client, key, **changes)) == client


AT = int(NOW.timestamp())


@pytest.mark.parametrize(("changes", "code"), [
    ({"aud": "https://other.example"}, "audience"), ({"aud": None}, "malformed"), ({"aud": [BASE, "https://other.example"]}, "audience"),
    ({"iss": "somebody"}, "subject"), ({"sub": "somebody"}, "subject"), ({"jti": None}, "malformed"), ({"jti": "short"}, "malformed"),
    ({"exp": AT}, "time"), ({"exp": AT - 1, "iat": AT - 200}, "time"), ({"exp": AT + 301}, "time"), ({"iat": AT + 61}, "time"),
    ({"iat": AT - 300, "exp": AT + 1}, "time"), ({"exp": "soon"}, "malformed"), ({"exp": True}, "malformed"),
    ({"admin": True}, "malformed"), ({"header": {"alg": "none"}}, "algorithm"), ({"header": {"alg": "HS256"}}, "algorithm"),
    ({"header": {"alg": "RS256"}}, "algorithm"), ({"header": {"alg": "EdDSA"}}, "algorithm"),
    ({"key": ED, "header": {"alg": "ES256"}}, "algorithm"), ({"key": ED, "header": {"alg": "none"}}, "algorithm"), ({"header": {"kid": kid(OTHER)}}, "key"), ({"header": {"kid": 7}}, "malformed"),
    ({"header": {"jwk": {}}}, "malformed"), ({"header": {"crit": ["exp"]}}, "malformed"), ({"key": OTHER}, "key"),
    ({"key": OTHER, "header": {"kid": kid(KEY)}}, "signature")])
def test_what_is_not_quite_that_is_nobodys(storage: Storage, client: Client, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadToken) as caught:
        proofs(storage).by_assertion(assertion(client, **changes))
    assert caught.value.code == code


def test_of_fifty_at_once_one_is_taken(storage: Storage, client: Client) -> None:
    text, judge = assertion(client), proofs(storage)
    outcomes: list[str] = []

    def use() -> None:
        try:
            outcomes.append(judge.by_assertion(text).id)
        except BadToken as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=lambda one: one == "replayed") == [client.id, *["replayed"] * 49]


@pytest.mark.parametrize("end", ["key removed", "client revoked"])
def test_what_was_ended_opens_nothing_and_does_not_come_back(storage: Storage, client: Client, end: str) -> None:
    if end == "key removed":
        remove_key(storage.engine, client.id, kid(KEY))
        assert proofs(storage).by_assertion(assertion(client, RSA)) == client
    else:
        revoke_client(storage.engine, client.id)
    with pytest.raises(BadToken, match="no client's key"):
        proofs(storage).by_assertion(assertion(client, jti="another-use-02"))
    with pytest.raises(Conflict):
        add_key(storage.engine, client.id, read_public_part(pem(KEY)))


def certificate(key: Private = OTHER, *, days: tuple[int, int] = (-1, 30)) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "backend")])
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
            .not_valid_before(NOW + timedelta(days=days[0])).not_valid_after(NOW + timedelta(days=days[1]))
            .sign(key, hashes.SHA256()))


def told(one: x509.Certificate) -> str:
    """RFC 9440: the DER as a byte sequence of a structured field."""
    return f":{base64.b64encode(one.public_bytes(Encoding.DER)).decode()}:"


@pytest.mark.parametrize(("days", "code"), [((-1, 30), None), ((-30, -1), "time"), ((1, 30), "time")])
def test_a_certificate_is_its_clients_while_it_is_valid(storage: Storage, client: Client, days: tuple[int, int], code: str | None) -> None:
    one = certificate(days=days)
    add_key(storage.engine, client.id, read_public_part(one.public_bytes(Encoding.PEM)))
    if code is None:
        assert proofs(storage).by_certificate(told(one)) == client
    else:
        with pytest.raises(BadToken) as caught:
            proofs(storage).by_certificate(told(one))
        assert caught.value.code == code


@pytest.mark.parametrize("value", ["", ":", "::", "AAAA", ":****:", ":QUJD:", told(certificate()), f":{'A' * 20_000}:"])
def test_another_certificate_is_nobodys(storage: Storage, client: Client, value: str) -> None:
    add_key(storage.engine, client.id, read_public_part(certificate().public_bytes(Encoding.PEM)))
    with pytest.raises(BadToken):
        proofs(storage).by_certificate(value if value != told(certificate()) else told(certificate(KEY)))


def test_a_certificate_is_no_signing_key_and_a_signing_key_no_certificate(storage: Storage, client: Client) -> None:
    one = read_public_part(certificate().public_bytes(Encoding.PEM))
    add_key(storage.engine, client.id, one)
    assert find_key(storage.engine, KeyKind.SIGNING, one.id) is None
    assert find_key(storage.engine, KeyKind.CERTIFICATE, kid(KEY)) is None
    assert {held.key.id for held in list_keys(storage.engine)} == {one.id, kid(KEY), kid(RSA), kid(ED)}


def private_pem() -> bytes:
    return KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("make", [
    lambda: b"", lambda: b"nothing of the kind", private_pem, lambda: pem(ec.generate_private_key(ec.SECP384R1())),
    lambda: pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505
    lambda: b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_no_usable_key_says_so(make: Callable[[], bytes]) -> None:
    with pytest.raises(BadInput) as caught:
        read_public_part(make())
    assert caught.value.code == "client_key_unusable"


def test_the_api_takes_assertions_once_and_certificates_from_the_proxies_alone(tmp_path: Path) -> None:
    storage = open_storage(StorageSettings(data_dir=tmp_path))
    client, one = add_client(storage.engine, "app", new_secret()), certificate()
    for part in (pem(KEY), one.public_bytes(Encoding.PEM)):
        add_key(storage.engine, client.id, read_public_part(part))
    app = create_app(storage, ApiSettings(certificates_from=("10.9.0.0/16",)), identity=IdentitySettings(public_url=BASE), clock=lambda: NOW)

    async def ask(address: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 4444))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.get(URL, headers=headers)

    async def run() -> None:
        bearer = {"Authorization": f"Bearer {assertion(client)}"}
        assert (await ask("192.0.2.1", bearer)).status_code == 200
        again = await ask("192.0.2.1", bearer)
        check_problem(again, 401, "unauthorized")
        assert "this one was used" in again.json()["detail"]
        shown = {"Client-Cert": told(one)}
        assert (await ask("10.9.3.4", shown)).status_code == 200
        check_problem(await ask("192.0.2.1", shown), 401, "unauthorized")
        check_problem(await ask("10.9.3.4", {"Client-Cert": told(certificate(KEY))}), 401, "unauthorized")
        check_problem(await ask("10.9.3.4", {**shown, "Authorization": "Bearer apoyo_wrong"}), 401, "unauthorized")

    anyio.run(run)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_STORAGE__DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    (tmp_path / "backend.pem").write_bytes(certificate().public_bytes(Encoding.PEM))

    def run(*words: str) -> str:
        done = CliRunner().invoke(command, ["clients", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    made = run("add", "app", "--key", str(tmp_path / "key.pem"))
    assert kid(KEY) in made and "apoyo_" not in made
    client_id = made.split()[1].rstrip(":")
    assert "certificate" in run("add-key", client_id, str(tmp_path / "backend.pem"))
    assert kid(KEY) in run("list")
    run("remove-key", client_id, kid(KEY))
    assert kid(KEY) not in run("list")
    assert client_id in run("list")
