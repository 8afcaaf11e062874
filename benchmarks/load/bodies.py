"""What is sent, prepared once: whole requests of which a few bytes differ from send to send.

Each front carries a JPEG comment of fixed length that is filled anew, so that no two files are alike; and the same people come
again in another process (of citizens), where they are not called copies. Nothing is joined or hashed while the load runs.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BOUNDARY = b"apoyo-load-5d1c"
MARK_BYTES = 24
"""Of a comment: hexadecimal digits."""
MEDIA_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"
PARTS = ("front", "back", "selfie", "signature")


@dataclass(frozen=True, slots=True)
class Body:
    """One support's form, cut where its mark goes. words: the end that names the process."""

    before: bytes
    after: bytes

    def pieces(self, mark: bytes, process: str) -> tuple[bytes, ...]:
        return self.before, mark, self.after, words(process)


def words(process: str) -> bytes:
    """The last part of the form: the support's own words. As long as the process's name makes it."""
    told = json.dumps({"process": process}).encode()
    return (b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="support"\r\n\r\n' + told
            + b"\r\n--" + BOUNDARY + b"--\r\n")


def load_body(folder: Path) -> Body:
    """From a folder of captures (front.*, back.*, selfie.*, signature.*). Raises FileNotFoundError that names what is missing."""
    found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".jpeg", ".png")}
    missing = [part for part in PARTS if part not in found]
    if missing:
        raise FileNotFoundError(f"{folder} has no {missing[0]}")
    front = found["front"].read_bytes()
    comment = b"\xff\xfe" + (MARK_BYTES + 2).to_bytes(2, "big")
    before = _heading("front") + front[:2] + comment
    rest = front[2:] + b"\r\n" + b"".join(_heading(part) + found[part].read_bytes() + b"\r\n" for part in PARTS[1:])
    return Body(before, rest)


def _heading(part: str) -> bytes:
    return b"--" + BOUNDARY + f'\r\nContent-Disposition: form-data; name="{part}"; filename="{part}"\r\n\r\n'.encode()


class Stock:
    """Bodies without end: each pair of captures and process once, then from the beginning again."""

    def __init__(self, folders: Sequence[Path], processes: Sequence[str]) -> None:
        self._bodies = [load_body(folder) for folder in folders]
        self._pairs: Iterator[tuple[str, Body]] = itertools.cycle(itertools.product(processes, self._bodies))
        self.mean_bytes = sum(len(body.before) + len(body.after) for body in self._bodies) // len(self._bodies)
        self.before_copies = len(processes) * len(self._bodies)
        """So many differ; whatever is sent beyond is found to be a copy, and costs what that costs."""

    def draw(self) -> tuple[str, tuple[bytes, ...]]:
        """An idempotency key, and the body in pieces."""
        process, body = next(self._pairs)
        key = secrets.token_hex(MARK_BYTES // 2)
        return key, body.pieces(key.encode(), process)
