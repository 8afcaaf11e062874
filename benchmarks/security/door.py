"""The real door over real sockets: every hostile picture as the part it is drawn for, and floods of what is no picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.security.pictures import SIGNATURE, SMALL, hostile_pictures
from benchmarks.security.served import SILENCE, Served

GOOD = {"front": SMALL, "back": SMALL + b"b", "selfie": SMALL + b"s", "signature": SIGNATURE}
URL = "/v1/supports"
MIB = 1 << 20
MEMORY_MB = 300
"""The most that the server may ever have in memory over all of it: two of the largest bodies beside what it needs to run."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was tried. said: the status and code; good: whether it is what was to be said."""

    name: str
    said: str
    good: bool


def knock(server: Served, shared: Path | None = None) -> Iterator[Row]:
    """Everything, one after another; at the end the server must take a good support, with no more memory than it may."""
    for name, hostile in hostile_pictures().items():
        status, code = _post(server, name, {**GOOD, hostile.part: hostile.data})
        wanted = (202, None) if hostile.code is None else (_STATUS.get(hostile.code, 422), hostile.code)
        yield Row(name, f"{status} {code or ''}".strip(), (status, code) == wanted)
    yield from _shared(server, shared)
    yield from _multipart(server)
    yield from _floods(server)
    status, code = _post(server, "good at the end", GOOD)
    yield Row("a good support after all of it", str(status), status == 202)
    yield Row("memory of the server", f"{server.peak_mb()} MB at most", server.peak_mb() < MEMORY_MB)
    yield Row("the server lives", str(server.process.poll()), server.process.poll() is None)


_STATUS = {"file_too_large": 413, "file_type": 415, "file_heic": 415}


def _post(server: Served, key: str, parts: Mapping[str, bytes]) -> tuple[int, str | None]:
    answer = server.client.post(URL, headers={"Idempotency-Key": key.replace(" ", "-")[:200]},
                                files=[(name, (name, data)) for name, data in parts.items()])
    if answer.status_code != 202 and answer.headers["content-type"] != "application/problem+json":
        return answer.status_code, "not a problem"
    return answer.status_code, answer.json().get("code")


def _shared(server: Served, shared: Path | None) -> Iterator[Row]:
    """The public collection of pictures that broke decoders, each as a photograph and as a signature."""
    if shared is None or not (shared / "manifest.json").is_file():
        return
    for entry in json.loads((shared / "manifest.json").read_text(encoding="utf-8")):
        if entry["set"] == "bad_inputs":
            for part in ("front", "signature"):
                status, code = _post(server, f"{part}-{entry['sha256']}", {**GOOD, part: (shared / entry["file"]).read_bytes()})
                expected, answer = entry["expect"]["answer"], "accept" if status == 202 else "reject"
                yield Row(f"{entry['file']} as {part}", f"{status} {code or ''}".strip(),
                          expected in ("either", answer) and 200 <= status < 500 and code != "not a problem")


def part(name: str, data: bytes = b"x", header: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n' + header + b"\r\n" + data + b"\r\n"


def _multipart(server: Served) -> Iterator[Row]:
    bodies = {
        "10,000 parts of unknown names": (b"".join(part(f"n{number}") for number in range(10_000)), 422),
        "10,000 parts of one name": (part("support", b"{}") * 10_000, 422),
        "10 MB of headers in a part": (part("front", header=b"X-A: b\r\n" * (10 * MIB // 8)), 400),
        "one header of 10 MB in a part": (part("front", header=b"X-A: " + b"b" * (10 * MIB) + b"\r\n"), 400),
        "a name of 1 MB": (part("f" * MIB), 400),
        "a preamble of 20 MB": (b"p" * (20 * MIB) + part("front"), 400),
        "an epilogue of 20 MB": (part("front") + b"--b--\r\n" + b"e" * (20 * MIB), 422),
        "boundaries that nearly end": (b"--b\r\n" + b"\r\n--b-" * (2 * MIB), 422),
        "a body of line ends": (b"\r\n" * (10 * MIB), 422),
        "a body of nothing": (b"", 422),
        "JSON that is deep": (part("support", b"[" * MIB), 422),
        "JSON of one huge number": (part("support", b'{"device": ' + b"9" * MIB + b"}"), 422),
        "JSON of a million keys": (part("support", b"{" + b",".join(b'"k%d":1' % n for n in range(150_000)) + b"}"), 422),
        "JSON of one key 100,000 times": (part("support", b"{" + b",".join([b'"process":"a"'] * 100_000) + b"}"), 422),
    }
    for name, (body, wanted) in bodies.items():
        answer = server.client.post(URL, content=body if body.endswith(b"e") else body + b"--b--\r\n", headers={
            "Idempotency-Key": name.replace(" ", "-"), "Content-Type": "multipart/form-data; boundary=b"})
        said = answer.json().get("code", "") if answer.headers["content-type"] == "application/problem+json" else "not a problem"
        yield Row(name, f"{answer.status_code} {said}", answer.status_code == wanted and said != "not a problem")


def _floods(server: Served) -> Iterator[Row]:
    """What no client of HTTP would send. A refusal or a closed connection is right; silence is not."""
    head = b"POST /v1/supports HTTP/1.1\r\nHost: t\r\n"
    told = head + (f"Authorization: Bearer {server.secret}\r\nIdempotency-Key: flood\r\n"
                   "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
    much = [b"y" * 65_536] * 300
    floods: dict[str, tuple[bytes, ...]] = {
        "20 MB of headers": (head, *[b"X: " + b"y" * 60_000 + b"\r\n"] * 300),
        "one header of 20 MB": (head, b"X: ", *much),
        "a header's name of 20 MB": (head, *much),
        "a path of 20 MB": (b"GET /", *much),
        "20 MB between two chunks": (told, b"1;", *much),
        "20 MB of trailers": (told, b"0\r\n", *[b"X: " + b"y" * 60_000 + b"\r\n"] * 300),
        "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,),
        "a chunk of a length that is none": (told, b"zz\r\n"),
        "a chunk longer than memory": (told, b"ffffffffffffffff\r\n", *much),
        "two lengths": (head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",),
        "a length and chunks": (told.replace(b"Host: t", b"Content-Length: 5"), b"0\r\n\r\n"),
        "a path that is no text": (b"GET /\xff\xfe HTTP/1.1\r\nHost: t\r\n\r\n",),
        "a header that is no text": (b"GET /livez HTTP/1.1\r\nHost: t\r\nX-\x00: \xff\r\n\r\n",),
        "another protocol's upgrade": (b"GET /v1/supports HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                       b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",),
    }
    for name, pieces in floods.items():
        answer = server.raw(*pieces)
        status = answer[9:12].decode("ascii", "replace") if answer.startswith(b"HTTP/1.1 ") else "closed"
        status = "silence" if answer == SILENCE else status
        yield Row(name, status, status == "closed" or status.startswith("4"))
