"""How the tests reach an S3 server, straight or by way of a proxy."""

from __future__ import annotations

from benchmarks.chaos.servers import BUCKET, REGION, S3Server
from pipeline.blobs.s3 import S3Place, place_of


def place_in(server: S3Server, *, endpoint: str = "", bucket: str = BUCKET, secret: str = "") -> S3Place:
    keys = {"access": server.access_key_file.read_text(), "secret": secret or server.secret_key_file.read_text()}
    return place_of(endpoint or server.endpoint, bucket, REGION, keys)
