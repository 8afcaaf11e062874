"""Who may do what: every route, as everybody. A route without its line here fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pipeline.records.clients import Role, add_client
from pipeline.records.erasures import Asked, erase
from pipeline.records.receipts import Cause, read_receipt
from pipeline.settings import IdentitySettings
from tests.contract.intake_makers import OTHER_SECRET, Service, files, service
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import CONFIRMED, NEW, support_in
from tests.contract.test_uploads import announced
from tests.identity_providers import provider
from tests.phones import Phone

OPEN, PHONE = "whoever", "phone"
BACKEND, DESK, TRAIL, BOTH, ALL = ("backend",), ("officer",), ("auditor",), ("backend", "officer"), tuple(Role)
SECRETS = {role: f"apoyo_of_the_matrix_{role}_000000000000000000000000" for role in Role}
OTHER = {"Authorization": f"Bearer {OTHER_SECRET}"}
KEY = {"Idempotency-Key": "of-the-matrix"}
Owned = dict[str, str]
HANDSET = Phone()


def code_wanted(owned: Owned) -> dict[str, Any]:
    parts = {"front": NEW["front"], "activation": json.dumps({"provider": "stand_in", "token": owned["token"]}).encode()}
    return {"files": [(name, (name, data)) for name, data in parts.items()],
            "headers": {"Idempotency-Key": "of-the-code", "Apoyo-Device-Proof": HANDSET.proof("/v1/activations", parts)}}


def proven(what: str, body: bytes | None = None) -> Callable[[Owned], dict[str, Any]]:
    """A request about the activation, with a proof of its own each time."""
    def make(owned: Owned) -> dict[str, Any]:
        proof = HANDSET.proof(f"/v1/activations/{owned['activation_id']}/{what}", {} if body is None else {"body": body})
        return {"content": body, "headers": {"Apoyo-Device-Proof": proof}}

    return make


PICTURE = {"content": NEW["back"], "headers": {"Idempotency-Key": "of-the-retake", "Content-Type": "image/jpeg"}}
Request = dict[str, Any] | Callable[[Owned], dict[str, Any]]
MATRIX: dict[tuple[str, str], tuple[str | tuple[str, ...], Request]] = {
    ("GET", "/livez"): (OPEN, {}),
    ("GET", "/readyz"): (OPEN, {}),
    ("GET", "/metrics"): (OPEN, {}),
    ("POST", "/v1/supports"): (BACKEND, {"files": files(), "headers": KEY}),
    ("GET", "/v1/supports"): (ALL, {}),
    ("GET", "/v1/supports/{support_id}"): (BOTH, {}),
    ("GET", "/v1/supports/{support_id}/events"): (BOTH, {}),
    ("PUT", "/v1/supports/{support_id}/captures/{side}"): (BACKEND, PICTURE),
    ("POST", "/v1/supports/{support_id}/review"): (BACKEND, {}),
    ("POST", "/v1/supports/{support_id}/decisions"): (DESK, {"json": CONFIRMED}),
    ("POST", "/v1/uploads"): (BACKEND, {"json": announced()}),
    ("GET", "/v1/counts"): (ALL, {}),
    ("GET", "/v1/my/supports/{support_id}"): (PHONE, {}),
    ("GET", "/v1/audit"): (TRAIL, {}),
    ("GET", "/v1/receipts/{receipt_id}"): (("backend", "auditor", "operator"), {}),
    ("GET", "/v1/processes"): (ALL, {}),
    ("GET", "/v1/processes/{process_id}"): (ALL, {}),
    ("GET", "/v1/processes/{process_id}/notices/{notice_version}"): (ALL, {}),
    ("GET", "/.well-known/jwks.json"): (OPEN, {}),
    ("POST", "/v1/activations"): (BACKEND, code_wanted),
    ("GET", "/v1/activations/{activation_id}"): (BACKEND, {}),
    ("POST", "/v1/activations/{activation_id}/confirm"): (BACKEND, proven("confirm", b'{"code": "12345678"}')),
    ("POST", "/v1/activations/{activation_id}/resend"): (BACKEND, proven("resend")),
    ("POST", "/v1/activations/{activation_id}/token"): (BACKEND, proven("token")),
    ("DELETE", "/v1/activations/{activation_id}"): (BACKEND, {}),
    ("POST", "/v1/webhooks"): (BACKEND, {"json": {"url": "https://hook.example/"}}),
    ("GET", "/v1/webhooks"): (BACKEND, {}),
    ("GET", "/v1/webhooks/{webhook_id}"): (BACKEND, {}),
    ("POST", "/v1/webhooks/{webhook_id}/test"): (BACKEND, {}),
    ("POST", "/v1/webhooks/{webhook_id}/rotate"): (BACKEND, {}),
    ("POST", "/v1/webhooks/{webhook_id}/replay"): (BACKEND, {}),
    ("DELETE", "/v1/webhooks/{webhook_id}"): (BACKEND, {}),
    ("DELETE", "/v1/my/supports/{support_id}"): (PHONE, {}),
    ("DELETE", "/v1/supports/{support_id}"): (("operator",), {}),
}
"""Each route, who may use it, and a request that is right but for its sender; those that change much come after those that look."""


async def own(running: Service, state: str, token: str) -> Owned:
    """What the first client owns: a support in this state, a webhook, an activation. Others are of other roles, and own nothing."""
    for role, secret in SECRETS.items():
        add_client(running.storage.engine, f"matrix-{role}", secret, role)
    gone = (await support_in(running, "final")).rpartition("/")[2]
    receipt = read_receipt(erase(running.storage, Asked(gone, Cause.ASKED, "operator")))
    place = await support_in(running, state, "back")
    hook = await running.client.post("/v1/webhooks", json={"url": "https://hook.example/"})
    owned = {"support_id": place.rpartition("/")[2], "webhook_id": hook.json()["id"], "side": "back", "process_id": "demo", "notice_version": "1",
             "token": token, "activation_id": "", "receipt_id": receipt.id}
    asked = await ask(running, ("POST", "/v1/activations"), owned, {"Idempotency-Key": "of-the-first-code"})
    return {**owned, "activation_id": asked.json()["id"]}


@pytest.fixture(scope="module")
def under_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Owned]]:
    """A service in which the first client owns a support whose back is wanted again."""
    with provider() as known, service(tmp_path_factory.mktemp("roles"), identity=IdentitySettings(stand_in_url=known.url)) as running:
        yield running, anyio.run(own, running, "retake_wanted", known.token())


async def ask(running: Service, route: tuple[str, str], owned: Owned, headers: dict[str, str]) -> httpx.Response:
    made = MATRIX[route][1]
    request = dict(made(owned) if callable(made) else made)
    headers = {**request.pop("headers", {}), **headers}
    return await running.client.request(route[0], route[1].format(**owned), headers=headers, **request)


def test_every_route_has_its_line_and_every_reference_leads_somewhere(under_test: tuple[Service, Owned]) -> None:
    described = anyio.run(under_test[0].client.get, "/openapi.json").json()
    assert {(method.upper(), path) for path, methods in described["paths"].items() for method in methods} == set(MATRIX)
    named = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert {ref.split('"')[0] for ref in json.dumps(described).split('"$ref": "')[1:]} <= named


def test_the_page_names_every_route_with_its_role() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    for (method, path), (who, _) in MATRIX.items():
        if who != OPEN:
            said = who if isinstance(who, str) else "all" if who == ALL else ", ".join(who)
            assert f"| `{method} {re.sub('{[a-z]+_id}', '{id}', path)}` | {said} |" in page


def bearer(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[role]}"}


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
def test_nobody_gets_further_than_the_role_allows(route: tuple[str, str], under_test: tuple[Service, Owned]) -> None:
    running, owned = under_test
    who = MATRIX[route][0]

    async def run() -> None:
        if who == OPEN:
            assert (await ask(running, route, owned, {"Authorization": ""})).status_code == 200
            return
        before = running.kept()
        for wrong in ("", "Bearer apoyo_wrong", "Basic YTpi"):
            check_problem(await ask(running, route, owned, {"Authorization": wrong}), 401, "unauthorized")
        for role in Role:
            if who == PHONE:
                check_problem(await ask(running, route, owned, bearer(role)), 401, "unauthorized")
            elif role not in who:
                check_problem(await ask(running, route, owned, bearer(role)), 403, "forbidden")
        assert running.kept() == before

    anyio.run(run)


@pytest.mark.parametrize("route", [route for route, (who, _) in MATRIX.items() if who not in (OPEN, PHONE) and route[0] == "GET"], ids=" ".join)
def test_each_role_gets_as_far_as_it_may(route: tuple[str, str], under_test: tuple[Service, Owned]) -> None:
    """A backend that owns nothing of it finds nothing; whoever else may look sees all."""
    running, owned = under_test

    async def run() -> None:
        for role in Role:
            if role in MATRIX[route][0] and "events" not in route[1]:
                theirs = role is Role.BACKEND and route in OWNED
                assert (await ask(running, route, owned, bearer(role))).status_code == (404 if theirs else 200)

    anyio.run(run)


OWNED = [route for route, (who, _) in MATRIX.items() if "_id}" in route[1] and "process" not in route[1] and "backend" in who]
"""Backends alone own anything."""


@pytest.mark.parametrize("route", OWNED, ids=" ".join)
def test_what_is_another_s_is_as_absent_as_what_is_not(route: tuple[str, str], under_test: tuple[Service, Owned]) -> None:
    running, owned = under_test

    async def run() -> None:
        before = running.kept()
        bodies = set()
        nothing = {**owned, **dict.fromkeys(("support_id", "webhook_id", "activation_id", "receipt_id"), "0192f000-0000-7000-8000-000000000000")}
        what = route[1].split("/")[2].removesuffix("s")
        for wanted in (owned, nothing):
            answer = await ask(running, route, wanted, OTHER)
            check_problem(answer, 404, f"{what}_not_found")
            bodies.add(json.dumps({key: value for key, value in answer.json().items() if key != "instance"}))
        assert len(bodies) == 1
        assert running.kept() == before

    anyio.run(run)


NOT_NOW = ("{side}", "review", "confirm", "resend", "token", "uploads")
"""Of a support that is accepted, and of an activation that waits."""


def test_every_answer_has_the_manners(tmp_path: Path) -> None:
    """Whoever asks for whatever, with success or without: who it was counted for, and by which id to speak of it."""
    async def run() -> None:
        with provider() as known, service(tmp_path, identity=IdentitySettings(stand_in_url=known.url)) as running:
            owned = await own(running, "accepted", known.token())
            ids = set()
            for route, (who, _) in MATRIX.items():
                answer = await ask(running, route, owned, {} if who in (OPEN, PHONE) or "backend" in who else bearer(Role(who[0])))
                assert answer.status_code < 300 or (route[1].rpartition("/")[2] in NOT_NOW and answer.status_code == 409) or (
                    who == PHONE and answer.status_code == 401), answer.text
                assert answer.headers["ratelimit-policy"].startswith('"client";q='), route
                assert answer.headers["ratelimit"].startswith('"client";r='), route
                assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
                ids.add(answer.headers["request-id"])
            assert len(ids) == len(MATRIX)

    anyio.run(run)
