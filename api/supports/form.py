"""The multipart body of a support, read into memory part by part.

Not through Starlette's form: that spools a part over 1 MiB into a temporary file, and citizens' pictures must not touch a
disk unsealed. The body is bounded before it comes here, so memory is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from api.problems import Problem
from pipeline.domain.capture import Part
from pipeline.domain.support import SupportInfo
from pipeline.domain.upload import max_bytes
from pipeline.errors import BadSupportInfo

INFO = "support"
PARTS = (*(part.value for part in Part), INFO)
MAX_INFO_BYTES = 2 * 1024 * 1024
"""20,000 points of a signature (pipeline.domain.support) take about 60 bytes each."""
_INFO_KEYS = frozenset(field.name for field in fields(SupportInfo))


@dataclass(frozen=True, slots=True)
class SupportForm:
    """A whole form: the four parts as they came, and the support's own words; `canonical` is those as canonical JSON, `sent` as
    they came (None: they did not)."""

    parts: Mapping[Part, bytes]
    info: SupportInfo
    canonical: bytes
    sent: bytes | None = None


def boundary_of(content_type: str | None) -> bytes:
    """The boundary that a Content-Type names. Raises `Problem` (`unsupported_media_type`, `bad_multipart`)."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Problem("unsupported_media_type", "Send multipart/form-data with the parts front, back, selfie and signature.",
                      headers={"Accept": "multipart/form-data"})
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise Problem("bad_multipart", "Send a Content-Type whose boundary has 1 to 70 characters.")
    return boundary


async def read_form(chunks: AsyncIterator[bytes], boundary: bytes) -> SupportForm:
    """Read the body to its end. Raises `Problem` (`bad_multipart`, `part_…`, `file_too_large`, `bad_support_info`)."""
    reader = _Reader()
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
    return reader.form()


class _Reader:
    """Callbacks of the parser. Refuses as soon as a part's name or size is wrong."""

    def __init__(self) -> None:
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
        if name not in PARTS:
            raise Problem("part_unknown", f"A part has a name that is not known here: send only {', '.join(PARTS)}.")
        if name in self._parts:
            raise Problem("part_duplicate", f"`{name}` came twice: send each part once.", extra={"part": name})
        self._name, self._data = name, bytearray()
        self._limit = MAX_INFO_BYTES if name == INFO else max_bytes(Part(name))

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

    def form(self) -> SupportForm:
        if not self._complete:
            raise Problem("bad_multipart", "The body ends before its closing boundary: send it whole.")
        for part in Part:
            if part.value not in self._parts:
                kind = "a PNG or JPEG" if part is Part.SIGNATURE else "a JPEG"
                raise Problem("part_missing", f"Send `{part}` too, as {kind}: front, back, selfie and signature are needed.",
                              extra={"part": part.value})
        info, canonical = _read_info(self._parts.get(INFO, b"{}"))
        return SupportForm({part: self._parts[part.value] for part in Part}, info, canonical, self._parts.get(INFO))


def _read_info(text: bytes) -> tuple[SupportInfo, bytes]:
    try:
        data = json.loads(text)
        canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise _bad_info('`support` is not JSON in UTF-8: send an object such as {"process": "demo"}.') from None
    if isinstance(data, dict) and not set(data) <= _INFO_KEYS:
        # `SupportInfo.parse` would name the key; an answer does not repeat what was sent.
        raise _bad_info(f"`support` holds a key that is not known here: allowed are {', '.join(sorted(_INFO_KEYS))}.")
    try:
        return SupportInfo.parse(canonical), canonical
    except BadSupportInfo as error:
        raise _bad_info(f"{error.detail}.") from None


def _bad_info(detail: str) -> Problem:
    return Problem("bad_support_info", detail, extra={"part": INFO})
