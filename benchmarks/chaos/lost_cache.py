"""What would be left if power failed the moment after each acknowledgement: names and bytes that nobody flushed are gone.

A killed process does not show this, since the kernel keeps what it wrote. So the calls that make things durable are watched: a
file's bytes count once it was flushed, its name once its folder was, and so on up to the root. SQLite does its own flushing, by
`synchronous=FULL`, which is asked of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from api.supports.form import SupportForm
from api.supports.service import Intake
from benchmarks.chaos.history import PARTS
from benchmarks.chaos.load import jpeg
from pipeline.clock import utc_now
from pipeline.domain.capture import Part
from pipeline.domain.support import SupportInfo
from pipeline.records.clients import add_client, new_secret
from pipeline.records.engine import reading
from pipeline.records.storage import open_storage
from pipeline.records.supports import get_support
from pipeline.settings import StorageSettings

FULL = 2
"""Of PRAGMA synchronous (sqlite.org/pragma.html)."""


class Cache:
    """What is not durable yet: names, by their whole path, and files' bytes, by inode."""

    def __init__(self) -> None:
        self.names: set[Path] = set()
        self.flushed: set[int] = set()

    def survives(self, file: Path) -> bool:
        named = not any(path in self.names for path in (file, *file.parents))
        return named and file.stat().st_ino in self.flushed

    @contextmanager
    def watching(self) -> Iterator[None]:
        real_sync, real_link, real_mkdir = os.fsync, os.link, os.mkdir

        def sync(descriptor: int) -> None:
            real_sync(descriptor)
            seen, place = os.fstat(descriptor), Path(f"/proc/self/fd/{descriptor}").readlink()
            if stat.S_ISDIR(seen.st_mode):
                self.names -= {path for path in self.names if path.parent == place}
            else:
                self.flushed.add(seen.st_ino)

        def link(source: Any, target: Any, **options: Any) -> None:
            real_link(source, target, **options)
            self.names.add(Path(target))

        def mkdir(path: Any, *arguments: Any, **options: Any) -> None:
            real_mkdir(path, *arguments, **options)
            self.names.add(Path(path))

        watched = {"fsync": (real_sync, sync), "link": (real_link, link), "mkdir": (real_mkdir, mkdir)}
        for name, (_, watching) in watched.items():
            setattr(os, name, watching)
        try:
            yield
        finally:
            for name, (real, _) in watched.items():
                setattr(os, name, real)


def lost_after_power_failure(folder: Path, count: int) -> list[str]:
    """Take supports in, one after another, and cut the power in thought after each: what would be missing, in words."""
    settings = StorageSettings(data_dir=folder)
    lost, cache = [], Cache()
    with cache.watching():
        storage = open_storage(settings)
        client = add_client(storage.engine, "power", new_secret())
        intake = Intake(storage, utc_now)
        for number in range(count):
            parts = {Part(name): jpeg(name) for name in PARTS}
            acknowledged = intake.receive(client.id, f"key-{number}", SupportForm(parts, SupportInfo(), b"{}")).id
            for part in get_support(storage.engine, acknowledged).parts:
                if not cache.survives(settings.blob_dir / part.blob_key):
                    lost.append(f"{part.part} of {acknowledged}")
    with reading(storage.engine) as connection:
        if connection.execute(text("PRAGMA synchronous")).scalar_one() != FULL:
            lost.append("SQLite may lose a commit")
    storage.engine.dispose()
    return lost
