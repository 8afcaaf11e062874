"""The multipart body of a support: its four parts, and the support's own words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields

from api.multipart import read_parts
from api.problems import Problem
from api.reception import parse_json, read_small
from api.supports.schemas import CommitBody
from pipeline.domain.capture import Part
from pipeline.domain.support import SupportInfo
from pipeline.domain.upload import max_bytes
from pipeline.errors import BadSupportInfo

INFO = "support"
MAX_INFO_BYTES = 2 * 1024 * 1024
"""20,000 points of a signature (pipeline.domain.support) take about 60 bytes each."""
LIMITS = {**{part.value: max_bytes(part) for part in Part}, INFO: MAX_INFO_BYTES}
_INFO_KEYS = frozenset(field.name for field in fields(SupportInfo))


MAX_COMMIT_BYTES = 2 * MAX_INFO_BYTES + 1024
"""The words as a string within JSON: each quotation mark of theirs takes two characters there."""


@dataclass(frozen=True, slots=True)
class UploadedSupport:
    """A support whose pictures lie in the store already, as `upload` was planned; the rest as of `SupportForm`."""

    upload: str
    info: SupportInfo
    canonical: bytes
    sent: bytes | None = None


@dataclass(frozen=True, slots=True)
class SupportForm:
    """A whole form: the four parts as they came, and the support's own words; `canonical` is those as canonical JSON, `sent` as
    they came (None: they did not)."""

    parts: Mapping[Part, bytes]
    info: SupportInfo
    canonical: bytes
    sent: bytes | None = None


async def read_form(chunks: AsyncIterator[bytes], boundary: bytes) -> SupportForm:
    """Read the body to its end. Raises `Problem` (`bad_multipart`, `part_…`, `file_too_large`, `bad_support_info`)."""
    parts = await read_parts(chunks, boundary, LIMITS)
    for part in Part:
        if part.value not in parts:
            kind = "a PNG or JPEG" if part is Part.SIGNATURE else "a JPEG"
            raise Problem("part_missing", f"Send `{part}` too, as {kind}: front, back, selfie and signature are needed.",
                          extra={"part": part.value})
    info, canonical = _read_info(parts.get(INFO, b"{}"))
    return SupportForm({part: parts[part.value] for part in Part}, info, canonical, parts.get(INFO))


async def read_uploaded(chunks: AsyncIterator[bytes]) -> UploadedSupport:
    """Read the commit of an upload. Raises `Problem` (`body_too_large`, `invalid_request`, `bad_support_info`)."""
    body = parse_json(await read_small(chunks, MAX_COMMIT_BYTES), CommitBody)
    sent = None if body.support is None else body.support.encode()
    return UploadedSupport(body.upload, *_read_info(sent or b"{}"), sent)


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
