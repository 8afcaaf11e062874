"""Signed addresses against the example that AWS prints in "Authenticating Requests: Using Query Parameters"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pipeline.blobs.signed_put import Signer

EXAMPLE = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", datetime(2013, 5, 24, tzinfo=UTC))


def test_the_printed_example() -> None:
    url = EXAMPLE.address("GET", "https://examplebucket.s3.amazonaws.com", "/test.txt", {}, timedelta(days=1))
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_each_header_is_part_of_what_is_signed() -> None:
    def signature(**headers: str) -> str:
        return EXAMPLE.address("PUT", "https://s3.example", "/b/k", headers, timedelta(hours=1)).partition("X-Amz-Signature=")[2]

    signed = {signature(), signature(a="1"), signature(a="2"), signature(a="1", b="1")}
    assert len(signed) == 4
    assert signature(a="1", B="1") == signature(b="1", A="1")
