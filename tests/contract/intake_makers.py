"""An application over a real database and a real folder, and the requests that it is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from sqlalchemy import func, select

from api.app import create_app
from pipeline.records.clients import Role, add_client, ensure_first_client
from pipeline.records.storage import Storage, open_storage
from pipeline.records.tables import audit, idempotency, jobs, outbox, parts, support_keys, supports
from pipeline.settings import ApiSettings, StorageSettings

URL = "/v1/supports"
OTHER_SECRET = "apoyo_another_backend_for_tests_only_000000000000"
OFFICER_SECRET = "apoyo_an_officer_for_tests_only_000000000000000000"
OFFICER = {"Authorization": f"Bearer {OFFICER_SECRET}"}


def picture(kind: str = "JPEG", shade: int = 128, size: tuple[int, int] = (64, 48)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (shade, 90, 60)).save(out, kind)
    return out.getvalue()


PHOTOS = {"front": picture(shade=10), "back": picture(shade=20), "selfie": picture(shade=30)}
GOOD: dict[str, bytes] = {**PHOTOS, "signature": picture("PNG", shade=40)}


def files(contents: dict[str, bytes] | None = None, **changed: bytes | None) -> list[tuple[str, tuple[str, bytes]]]:
    """The multipart parts of a good request, with some changed, added, or (None) left out."""
    merged: dict[str, bytes | None] = {**(GOOD if contents is None else contents), **changed}
    return [(name, (f"{name}.bin", data)) for name, data in merged.items() if data is not None]


@dataclass
class Service:
    """The application under test. `client` carries the Bearer of the first client."""

    storage: Storage
    root: Path
    secret: str
    client: httpx.AsyncClient

    def kept(self) -> dict[str, int]:
        """How many rows and files there are of everything that an intake writes."""
        with self.storage.engine.connect() as connection:
            rows = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in (supports, parts, support_keys, jobs, idempotency, outbox)}
            rows["audit"] = connection.execute(
                select(func.count()).select_from(audit).where(audit.c.action.like("support.%"))).scalar_one()
        return {**rows, "blobs": sum(1 for _ in self.storage.blobs.list())}

    async def send(self, key: str | None = "key-1", *, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        """POST a good support, or what `request` says instead."""
        wanted = {**({} if key is None else {"Idempotency-Key": key}), **(headers or {})}
        if not {"files", "content"} & set(request):
            request["files"] = files()
        return await self.client.post(URL, headers=wanted, **request)


NOTHING = {"supports": 0, "parts": 0, "support_keys": 0, "jobs": 0, "idempotency": 0, "outbox": 0, "audit": 0, "blobs": 0}
ONE = {"supports": 1, "parts": 5, "support_keys": 1, "jobs": 1, "idempotency": 1, "outbox": 1, "audit": 1, "blobs": 5}


@contextmanager
def service(
    place: StorageSettings | Path, storage: Storage | None = None, limits: dict[str, int] | None = None, **options: Any
) -> Iterator[Service]:
    """Build the application there (a path: SQLite and a folder). `limits`: API settings that differ; `options` go to `create_app`."""
    settings = place if isinstance(place, StorageSettings) else StorageSettings(data_dir=place)
    storage = storage or open_storage(settings)
    ensure_first_client(storage.engine, settings.client_secret_file)
    add_client(storage.engine, "other", OTHER_SECRET)
    add_client(storage.engine, "desk", OFFICER_SECRET, Role.OFFICER)
    secret = settings.client_secret_file.read_text().strip()
    app = create_app(storage, ApiSettings.model_validate(limits or {}), **options)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test",
                               headers={"Authorization": f"Bearer {secret}"})
    try:
        yield Service(storage, settings.data_dir, secret, client)
    finally:
        storage.engine.dispose()
