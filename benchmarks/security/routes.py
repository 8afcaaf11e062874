"""Every operation that /openapi.json names, asked with what it does not say: the answer is one that it documents, and no 5xx.

Seeded: the same requests each time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.security.door import Row, part

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, 2**63, "", " ", "a", "á\u202e𝕊", "'; DROP TABLE supports; --", "../../etc/passwd", "\x00",
    "%00", "x" * 5_000, "0192f000-0000-7000-8000-000000000000", "{{7*7}}", "=1+1", "2026-13-45", [], {}, [[]], {"a": {"b": []}})
PATHS = (
    "0192f000-0000-7000-8000-000000000000", "nonsense", "..", "%2e%2e", "0", "-1", "a" * 2_000, "\x00", "é", "demo", "front", "*")
TYPES = (
    "application/json", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain", "image/jpeg", "")


def walk(client: httpx.Client, times: int, seed: int = 1) -> Iterator[Row]:
    """`times` requests to each operation. client: with a secret, and no more than its rate."""
    chance = random.Random(seed)
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            for number in range(times):
                request = made(path, method, operation, chance)
                answer = client.send(client.build_request(**request))
                name = f"{method.upper()} {path} #{number}"
                yield Row(name, f"{answer.status_code} {_code(answer)}".strip(), _is_right(answer, operation))


def made(path: str, method: str, operation: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One request: right in some of its parts, odd in others."""
    query: dict[str, str | int] = {}
    headers = {"Idempotency-Key": f"k{chance.random()}"}
    for parameter in operation.get("parameters", []):
        value = chance.choice(ODD)
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(chance.choice(PATHS), safe="%.*'"))
        elif parameter["in"] == "query" and chance.random() < 0.7:
            query[parameter["name"]] = value if isinstance(value, str | int) else json.dumps(value)
        elif parameter["in"] == "header" and chance.random() < 0.3:
            headers[parameter["name"]] = "".join(letter for letter in str(value) if " " < letter < "\x7f")[:300]
    request: dict[str, Any] = {"method": method.upper(), "url": path, "params": query, "headers": headers}
    if "requestBody" in operation or chance.random() < 0.2:
        headers["Content-Type"] = next(iter(operation.get("requestBody", {}).get("content", {})), chance.choice(TYPES))
        if chance.random() < 0.2:
            headers["Content-Type"] = chance.choice(TYPES)
        request["content"] = _body(operation, headers, chance)
    return request


def _body(operation: dict[str, Any], headers: dict[str, str], chance: random.Random) -> bytes:
    content = operation.get("requestBody", {}).get("content", {})
    described: dict[str, Any] = next(iter(content.values()), {})
    schema = described.get("schema", {})
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(400))
    value = _value(schema, chance)
    if headers["Content-Type"].startswith("multipart") and isinstance(value, dict):
        headers["Content-Type"] = "multipart/form-data; boundary=b"
        return b"".join(part(name, json.dumps(one).encode()) for name, one in value.items()) + b"--b--\r\n"
    return json.dumps(value).encode()


def _value(schema: dict[str, Any], chance: random.Random, depth: int = 0) -> Any:
    """What the schema asks for, and now and then something else."""
    if chance.random() < 0.25 or depth > 4:
        return chance.choice(ODD)
    if "anyOf" in schema:
        return _value(chance.choice(schema["anyOf"]), chance, depth + 1)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        known = schema.get("properties", {}).items()
        named = {name: _value(inner, chance, depth + 1) for name, inner in known if chance.random() < 0.8}
        return named | ({"unknown": chance.choice(ODD)} if chance.random() < 0.2 else {})
    if kind == "array":
        return [_value(schema.get("items", {}), chance, depth + 1) for _ in range(chance.randrange(4))]
    usual = {"integer": chance.randrange(-5, 5), "number": chance.random(), "boolean": True, "string": "text"}
    return usual.get(str(kind), chance.choice(ODD))


def _code(answer: httpx.Response) -> str:
    if answer.status_code < 400:
        return ""
    if answer.headers.get("content-type") != "application/problem+json":
        return "not a problem"
    return str(answer.json()["code"])


def _is_right(answer: httpx.Response, operation: dict[str, Any]) -> bool:
    """A path that an odd part made another's is not found, or is of another method."""
    documented = str(answer.status_code) in operation["responses"] or answer.status_code in (404, 405)
    return documented and answer.status_code < 500 and _code(answer) != "not a problem"
