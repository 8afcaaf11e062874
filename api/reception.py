"""How a body comes in: its key, its room and its time, the same for a whole support and for one part."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from anyio import fail_after
from fastapi import Request
from pydantic import BaseModel, ValidationError

from api.limits import BODY_SECONDS
from api.problems import Problem

_KEY = re.compile(r"[!-~]{1,200}")
MAX_JSON_BYTES = 64 << 10
"""A hundred times what any JSON body of this API needs."""
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def idempotency_key(request: Request) -> str:
    """The client's key. Raises `Problem` (`idempotency_key_missing`, `idempotency_key_invalid`)."""
    values = request.headers.getlist("idempotency-key")
    if not values:
        raise Problem("idempotency_key_missing", "Send an Idempotency-Key of your own, such as a UUID a request: then a "
                                                 "repeated request gives the same answer and does nothing twice.")
    if len(values) != 1 or not _KEY.fullmatch(values[0]):
        raise Problem("idempotency_key_invalid", "Send one Idempotency-Key of 1 to 200 visible ASCII characters.")
    return values[0]


class Pending:
    """The Idempotency-Keys being worked on in this process. The database's unique key settles it between processes."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, str]] = set()

    @contextmanager
    def claim(self, client_id: str, key: str) -> Iterator[None]:
        """Raises `Problem` (`request_in_flight`) while another request holds the key."""
        if (client_id, key) in self._keys:
            raise Problem("request_in_flight", "Wait for the first answer, or send the same request again after Retry-After.")
        self._keys.add((client_id, key))
        try:
            yield
        finally:
            self._keys.discard((client_id, key))


async def read_in_time(read: Callable[[AsyncIterator[bytes]], Awaitable[T]], chunks: AsyncIterator[bytes]) -> T:
    """What `read` makes of the body. Raises `Problem` (`body_too_slow`)."""
    try:
        with fail_after(BODY_SECONDS):
            return await read(chunks)
    except TimeoutError:
        raise Problem("body_too_slow", f"Send the body within {BODY_SECONDS:g} seconds.",
                      headers={"Connection": "close"}) from None


async def read_json(request: Request, model: type[M]) -> M:
    """A small JSON body as `model`. Raises `Problem` (`body_too_large`, `body_too_slow`, `invalid_request`) that names the place.

    Not by a parameter of the route: the framework would read a body of any size, and before it asks who sends it.
    """
    return parse_json(await read_in_time(read_small, request.stream()), model)


def parse_json(data: bytes, model: type[M]) -> M:
    """Raises `Problem` (`invalid_request`) that names the place."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "its beginning"
        raise Problem("invalid_request", f"In the body, at {place}: {first['msg']}; /openapi.json tells more.") from None


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """What /openapi.json says of a body that `read_json` reads."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole_schema(model)}}}}


def whole_schema(model: type[BaseModel]) -> Any:
    """The model's schema without references: in the whole description they would lead nowhere."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})
    return _in_place(schema, named)


def _in_place(schema: Any, named: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _in_place(named[schema["$ref"].rpartition("/")[2]], named)
        return {key: _in_place(value, named) for key, value in schema.items()}
    return [_in_place(one, named) for one in schema] if isinstance(schema, list) else schema


async def read_small(chunks: AsyncIterator[bytes], most: int = MAX_JSON_BYTES) -> bytes:
    """A body of JSON, whole. Raises `Problem` (`body_too_large`)."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > most:
            raise Problem("body_too_large", f"Send at most {most >> 10} KiB of JSON.")
    return bytes(data)
