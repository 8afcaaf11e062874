"""A multipart body, read into memory part by part.

Not through Starlette's form: that spools a part over 1 MiB into a temporary file, and citizens' pictures must not touch a
disk unsealed. The body is bounded before it comes here, so memory is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from api.problems import Problem


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that a Content-Type names. Raises `Problem` (`unsupported_media_type`, `bad_multipart`)."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Problem("unsupported_media_type", "Send multipart/form-data with the parts that /openapi.json names.",
                      headers={"Accept": "multipart/form-data"})
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise Problem("bad_multipart", "Send a Content-Type whose boundary has 1 to 70 characters.")
    return boundary


async def read_parts(chunks: AsyncIterator[bytes], boundary: bytes, limits: Mapping[str, int]) -> Mapping[str, bytes]:
    """Read the body to its end: what came of the parts that `limits` names, each with the most bytes it may have.

    Raises `Problem` (`bad_multipart`, `part_unknown`, `part_duplicate`, `file_too_large`).
    """
    reader = _Reader(limits)
    try:
        parser = MultipartParser(boundary, {
            "on_part_begin": reader.part_begins, "on_header_field": reader.header_name, "on_header_value": reader.header_value,
            "on_header_end": reader.header_ends, "on_headers_finished": reader.headers_end, "on_part_data": reader.data,
            "on_part_end": reader.part_ends, "on_end": reader.ends,
        })
        async for chunk in chunks:
            parser.write(chunk)
        parser.finalize()
    except FormParserError:
        raise Problem("bad_multipart", "Send a body as RFC 7578 says, with the boundary of the Content-Type.") from None
    return reader.parts()


class _Reader:
    """Callbacks of the parser. Refuses as soon as a part's name or size is wrong."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._parts: dict[str, bytes] = {}
        self._name = ""
        self._limit = 0
        self._data = bytearray()
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._complete = False

    def part_begins(self) -> None:
        self._disposition = b""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("ascii", "replace")
        if name not in self._limits:
            raise Problem("part_unknown", f"A part has a name that is not known here: send only {', '.join(self._limits)}.")
        if name in self._parts:
            raise Problem("part_duplicate", f"`{name}` came twice: send each part once.", extra={"part": name})
        self._name, self._data = name, bytearray()
        self._limit = self._limits[name]

    def data(self, data: bytes, start: int, end: int) -> None:
        if len(self._data) + end - start > self._limit:
            raise Problem("file_too_large", f"`{self._name}` is larger than {self._limit >> 20} MiB: send it with a stronger "
                                            "compression or fewer pixels.", extra={"part": self._name})
        self._data += data[start:end]

    def part_ends(self) -> None:
        self._parts[self._name] = bytes(self._data)
        self._data = bytearray()

    def ends(self) -> None:
        self._complete = True

    def parts(self) -> Mapping[str, bytes]:
        if not self._complete:
            raise Problem("bad_multipart", "The body ends before its closing boundary: send it whole.")
        return self._parts
