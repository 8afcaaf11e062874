"""The blob store of a cluster: a bucket behind the S3 protocol (SeaweedFS, MinIO, AWS).

Nothing is tried again here but a read that arrived damaged: a write whose answer was lost may have happened, and whoever asked
for it starts over under another key.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from pipeline.blobs.api import StoredBlob, checked_key
from pipeline.blobs.signed_put import SignedPut, Signer
from pipeline.clock import utc_now
from pipeline.errors import ApoyoError, Conflict, Misconfigured, NotFound, Unavailable

CONNECT_SECONDS, SILENCE_SECONDS, READ_SECONDS = 3.0, 10.0, 15.0
"""A store in the same site answers in milliseconds. Silence: between two pieces of an answer; read: a whole object. Together
below the workers' hard deadline (20 s), so that a slow store is told from a hung verification."""
READ_TRIES = 3
"""Of an object that arrives with another checksum than the store names: damaged on the way, unless each arrives so."""
CONNECTIONS = 48
"""The API's threads (40 by anyio's default) and some more: none waits for another's connection."""
LINK_LIFE = timedelta(minutes=5)
"""Of the signature of one put, which is used at once."""
PROBE = "ready/conditional"


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the bucket is and who asks. endpoint: host:port.  secure: TLS, checked against the system's authorities."""

    endpoint: str
    secure: bool
    bucket: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)
    public: str = ""
    """http(s)://host[:port] by which others reach it; empty: as we do."""

    @property
    def base(self) -> str:
        return self.public or f"{'https' if self.secure else 'http'}://{self.endpoint}"


class S3Store:
    """A `BlobStore`. Every request ends within a bounded time."""

    def __init__(self, place: S3Place) -> None:
        self._place = place
        self._bucket = place.bucket
        self._compares: bool | None = None
        self._asking = threading.Lock()
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=SILENCE_SECONDS), retries=False, maxsize=CONNECTIONS)
        self._client = Minio(place.endpoint, place.access_key, place.secret_key, secure=place.secure, region=place.region,
                             http_client=self._http)

    @staticmethod
    def open(place: S3Place) -> S3Store:
        """Asserts what `put_if_absent` rests on. Raises `Misconfigured` (no bucket, wrong keys, a store that overwrites what
        is there although it was told not to), or `Unavailable`."""
        store = S3Store(place)
        try:
            with _translated():
                there = store._client.bucket_exists(place.bucket)
        except Refused as error:
            raise Misconfigured(f"the S3 store refuses these keys ({error.detail})", code="s3_refused") from error
        if not there:
            raise Misconfigured(f"the S3 store has no bucket {place.bucket!r}: make it first", code="s3_no_bucket")
        store.put_if_absent(PROBE, b"")
        if store.put_if_absent(PROBE, b""):
            raise Misconfigured("this S3 store ignores If-None-Match: it could overwrite a support", code="s3_not_conditional")
        return store

    def put_if_absent(self, key: str, data: bytes) -> bool:
        # minio's own put has no condition; a signed address takes one, and the checksum that the store compares.
        digest = hashlib.md5(data, usedforsecurity=False)
        address = self._client.presigned_put_object(self._bucket, checked_key(key), expires=LINK_LIFE)
        headers = {"If-None-Match": "*", "Content-MD5": base64.b64encode(digest.digest()).decode()}
        with _translated():
            answer = self._http.request("PUT", address, body=data, headers=headers, retries=False)
        if answer.status == 412:
            return False
        if answer.status != 200:
            raise _refusal(answer.status, answer.data[:1000].decode("utf-8", "replace"))
        if answer.headers.get("etag", "").strip('"') != digest.hexdigest():  # else whoever kept it had all of it
            self._confirm(key, data, digest.hexdigest())
        return True

    def signed_put(self, key: str, size: int, sha256: str, life: timedelta) -> SignedPut:
        if not self._compares_checksums():
            raise Conflict("this S3 store does not compare x-amz-checksum-sha256", code="direct_upload_unavailable")
        return self._signed_put(self._place.base, checked_key(key), size, sha256, life)

    def _signed_put(self, base: str, key: str, size: int, sha256: str, life: timedelta) -> SignedPut:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size), "If-None-Match": "*",
                   "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode()}
        signer = Signer(self._place.access_key, self._place.secret_key, self._place.region, utc_now())
        return SignedPut(signer.address("PUT", base, f"/{self._bucket}/{key}", headers, life), headers)

    def _compares_checksums(self) -> bool:
        """Tried once, with a byte that is another than was signed for. Raises `Unavailable`."""
        with self._asking:
            if self._compares is None:
                key, here = f"ready/checksum.{secrets.token_hex(4)}", replace(self._place, public="").base
                wrong = self._signed_put(here, key, 1, hashlib.sha256(b"0").hexdigest(), LINK_LIFE)
                with _translated():
                    answer = self._http.request("PUT", wrong.url, body=b"1", headers=dict(wrong.headers), retries=False)
                if answer.status not in (200, 400):  # neither kept nor compared: asked again the next time
                    raise _refusal(answer.status, "")
                self._compares = answer.status == 400
                self.delete(key)
            return self._compares

    def put_all_if_absent(self, values: Mapping[str, bytes]) -> bool:
        return all(self.put_if_absent(key, data) for key, data in values.items())

    def _confirm(self, key: str, data: bytes, md5: str) -> None:
        """Ask the store what it keeps: a 200 alone is a claim. Raises `Unavailable` (`blob_differs`)."""
        try:
            with _translated():
                kept = self._client.stat_object(self._bucket, key)
            # An ETag need not be an MD5 (a store that encrypts with keys of its own): then the bytes themselves are compared.
            if kept.size == len(data) and (kept.etag == md5 or self.get(key) == data):
                return
        except NotFound:
            pass
        raise Unavailable("the S3 store does not keep what it was sent", code="blob_differs")

    def get(self, key: str) -> bytes:
        data = b""
        for _ in range(READ_TRIES):
            data, etag = self._read(checked_key(key))
            if etag == hashlib.md5(data, usedforsecurity=False).hexdigest():
                break
        return data  # what arrives the same way each time lies there that way: the seal judges it

    def _read(self, key: str) -> tuple[bytes, str]:
        end = time.monotonic() + READ_SECONDS
        with _translated():
            answer = self._client.get_object(self._bucket, key)
            try:
                pieces = []
                while piece := answer.read1():
                    pieces.append(piece)
                    if time.monotonic() > end:
                        raise Unavailable(f"an object took more than {READ_SECONDS:g} s", code="storage_unavailable")
                if answer.length_remaining:
                    raise Unavailable("an object ended early", code="storage_unavailable")
                return b"".join(pieces), answer.headers.get("etag", "").strip('"')
            finally:
                answer.close()  # not kept for another request: it may hold what was not read
                answer.release_conn()

    def delete(self, key: str) -> None:
        place = checked_key(key)
        with _translated():
            self._client.remove_object(self._bucket, place)

    def exists(self, key: str) -> bool:
        place = checked_key(key)
        try:
            with _translated():
                self._client.stat_object(self._bucket, place)
        except NotFound:
            return False
        return True

    def list(self, under: str = "") -> Iterator[StoredBlob]:
        prefix = f"{checked_key(under)}/" if under else None
        with _translated():
            for one in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                if one.object_name and one.object_name != PROBE:
                    yield StoredBlob(one.object_name, one.size or 0, _moment(one.last_modified))

    def sweep(self, before: datetime) -> int:
        del before
        return 0  # a put is one request: what was interrupted is not there


class Refused(Unavailable):
    """The store says no to us, not to an object: keys, rights, a bucket that went. Work waits until somebody mends it."""

    code = "storage_refused"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise _refusal(error.response.status, error.code or "") from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # ValueError: an answer that is no XML
        raise Unavailable(f"the S3 store does not answer: {type(error).__name__}", code="storage_unavailable") from error


FULL = ("StorageFull", "QuotaExceeded")
"""In the codes by which MinIO and others say that there is no room."""


def _refusal(status: int, said: str) -> ApoyoError:
    if status == 507 or any(word in said for word in FULL):
        return Unavailable("the S3 store is full", code="storage_full")
    if status == 404 and "NoSuchBucket" not in said:
        return NotFound("no such blob", code="blob_not_found")
    if status in (401, 403, 404):
        return Refused(f"the S3 store answers {status}")
    return Unavailable(f"the S3 store answers {status}", code="storage_unavailable")


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Unavailable("the S3 store lists an object without its time", code="storage_unavailable")
    return value


def place_of(endpoint: str, bucket: str, region: str, keys: Mapping[str, str], public: str = "") -> S3Place:
    """From a URL such as https://s3.example:9000. `keys`: access and secret. Raises `Misconfigured`."""
    scheme, host = _split(endpoint)
    if public:
        public = "://".join(_split(public))
    return S3Place(host, scheme == "https", bucket, region, keys["access"], keys["secret"], public)


def _split(endpoint: str) -> tuple[str, str]:
    scheme, _, host = endpoint.rstrip("/").partition("://")
    if scheme not in ("http", "https") or not host or "/" in host or "@" in host:
        raise Misconfigured("the S3 endpoint must be http(s)://HOST[:PORT]", code="bad_s3_endpoint")
    return scheme, host
