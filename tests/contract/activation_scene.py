"""A service, its provider and a phone, for the tests of activation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import anyio
import httpx
from sqlalchemy import update

from api.deliver import Deliverer
from pipeline.domain.capture import Capture
from pipeline.records.activations import code_of, get_activation
from pipeline.records.engine import writing
from pipeline.records.tables import activations
from pipeline.settings import DeliverySettings, IdentitySettings, StorageSettings
from pipeline.worker import Worker
from tests.contract.intake_makers import GOOD, OTHER_SECRET, Service, service
from tests.contract.judges import judge
from tests.identity_providers import Provider, provider
from tests.phones import Phone
from tests.unit.test_worker import SETTINGS

PLACE = "/v1/activations"
FRONT = GOOD["front"]
OTHER = {"Authorization": f"Bearer {OTHER_SECRET}"}


@dataclass
class Scene:
    """The service, its provider, and a phone."""

    service: Service
    provider: Provider
    folder: Path
    phone: Phone = field(default_factory=Phone)
    before: Callable[[Capture], None] = lambda _capture: None

    def words(self, **changes: Any) -> bytes:
        return json.dumps({"provider": "stand_in", "token": self.provider.token(), **changes}).encode()

    async def ask(self, key: str = "key-1", *, phone: Phone | None = None, front: bytes = FRONT, headers: dict[str, str] | None = None,
                  words: bytes | None = None, proof: str | None = None, **changes: Any) -> httpx.Response:
        parts = {"front": front, "activation": self.words(**changes) if words is None else words}
        made = (phone or self.phone).proof(PLACE, parts) if proof is None else proof
        return await self.service.client.post(PLACE, files=[(name, (name, data)) for name, data in parts.items()], headers={
            "Idempotency-Key": key, **({"Apoyo-Device-Proof": made} if made else {}), **(headers or {})})

    async def post(self, place: str, what: str, phone: Phone | None = None, headers: dict[str, str] | None = None,
                   body: bytes | None = None, parts: dict[str, bytes] | None = None) -> httpx.Response:
        path = f"{place}/{what}"
        proof = (phone or self.phone).proof(path, parts if parts is not None else {} if body is None else {"body": body})
        return await self.service.client.post(path, content=body, headers={"Apoyo-Device-Proof": proof, **(headers or {})})

    async def confirm(self, place: str, code: str, phone: Phone | None = None, **request: Any) -> httpx.Response:
        return await self.post(place, "confirm", phone, body=json.dumps({"code": code}).encode(), **request)

    async def standing(self, place: str) -> dict[str, Any]:
        return dict((await self.service.client.get(place)).json())

    def work(self, **changes: Any) -> int:
        return Worker(self.service.storage, judge(self.before), SETTINGS.model_copy(update=changes), "w").run_once()

    def code(self, place: str) -> str:
        record = get_activation(self.service.storage.engine, place.rpartition("/")[2])
        return code_of(self.service.storage.keyring, record.id, record.device)

    def mails(self) -> list[Any]:
        return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in sorted((self.folder / "mail").glob("*.eml"))]

    async def until(self, place: str, state: str) -> dict[str, Any]:
        with anyio.fail_after(30):
            while True:  # until the deliverer has had its turn
                if (standing := await self.standing(place))["state"] == state:
                    return standing
                await anyio.sleep(0.02)

    @asynccontextmanager
    async def delivering(self, **changes: Any) -> AsyncIterator[None]:
        settings = DeliverySettings.model_validate({"poll_seconds": 0.02, "mail_dir": self.folder / "mail", "attempt_seconds": 5,
                                                    "backoff_seconds": (0.05, 0.05), **changes})
        async with anyio.create_task_group() as group:
            deliverer = Deliverer(self.service.storage, settings)
            group.start_soon(deliverer.run)
            try:
                yield
            finally:
                deliverer.stop.set()

    async def awaiting_code(self, key: str = "key-1", **request: Any) -> str:
        """The place of an activation whose front was looked at."""
        place: str = (await self.ask(key, **request)).headers["location"]
        assert self.work() == 1
        assert (await self.standing(place))["state"] == "sending"
        return place

    def age(self, **moments: int) -> None:
        """Set moments of every activation back by so many seconds."""
        with writing(self.service.storage.engine) as connection:
            connection.execute(update(activations).values(
                {name: activations.c[name] - seconds * 1000 for name, seconds in moments.items()}))


@contextmanager
def scene(place: StorageSettings | Path, **options: Any) -> Iterator[Scene]:
    folder = place if isinstance(place, Path) else place.data_dir
    with provider() as known, service(place, identity=IdentitySettings(stand_in_url=known.url), **options) as running:
        yield Scene(running, known, folder)
