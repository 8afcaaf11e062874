"""An address by which somebody else puts one object into a store that speaks S3: Signature Version 4 in the query.

Headers that are signed must come as they were signed, or the store refuses the request: so size, checksum and the condition are
bound, and not only the place. minio's own signing takes no headers but the host.
Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"; its example is a test of this module.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
"""The payload's digest does not stand in the signature but in a header that does, which the store compares."""


@dataclass(frozen=True, slots=True)
class SignedPut:
    """`headers` must be sent as they stand."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key signs, for which region, from when. moment: with its zone, UTC."""

    access_key: str
    secret_key: str
    region: str
    moment: datetime

    def address(self, method: str, base: str, path: str, headers: Mapping[str, str], life: timedelta) -> str:
        """The URL for one request. base: scheme://host[:port].  headers: those that must come so, besides `host`."""
        day, moment = f"{self.moment:%Y%m%d}", f"{self.moment:%Y%m%dT%H%M%SZ}"
        scope = f"{day}/{self.region}/s3/aws4_request"
        sent = {"host": base.partition("://")[2], **{name.lower(): value for name, value in headers.items()}}
        names = ";".join(sorted(sent))
        query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted({
            "X-Amz-Algorithm": ALGORITHM, "X-Amz-Credential": f"{self.access_key}/{scope}", "X-Amz-Date": moment,
            "X-Amz-Expires": str(int(life.total_seconds())), "X-Amz-SignedHeaders": names}.items()))
        place = quote(path, safe="/-_.~")
        lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
        request = "\n".join((method, place, query, lines, names, UNSIGNED))
        text = "\n".join((ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()))
        return f"{base}{place}?{query}&X-Amz-Signature={self._sign(day, text)}"

    def _sign(self, day: str, text: str) -> str:
        key = f"AWS4{self.secret_key}".encode()
        for word in (day, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()
