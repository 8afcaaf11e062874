"""`apoyo demo --guide`: the way of INE's quick guide, from the sign-in to the verdict, step by step through the real service."""

from __future__ import annotations

import json
import re
import shutil
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import Unavailable

if TYPE_CHECKING:
    import httpx

    from pipeline.cli.phone import Phone
    from pipeline.cli.serve import Service
    from pipeline.cli.stand_in import StandIn

DATA, MAIL = "guide-service", "guide-mail"
EMAIL = "ciudadana@correo.example"
"""RFC 2606: nobody's."""
WAIT_S, POLL_S = 60, 0.1
LONG_SIDE = 3000
PROCESS = {
    "id": "guia", "name": "Recorrido de la guía rápida", "activation": True,
    "notices": [{"version": "2026-1", "text": "MUESTRA. Aviso de privacidad del recorrido: no hay datos de personas reales."}],
    "other_way": "MUESTRA. Si no puedes firmar o la foto no te reconoce, acude a la oficina del proceso con tu credencial."}
"""Like `demo`, but for activated phones, and with consent to a notice: both required."""


def run_guide(out: Path, seed: int) -> bool:
    """Walk it and print each step; whether everything came as it should."""
    from models.specimens.make import make_specimens
    from pipeline.cli.phone import Phone
    from pipeline.cli.serve import running_service
    from pipeline.cli.stand_in import stand_in
    from pipeline.settings import Settings

    print("drawing a citizen, her credential and her photographs …", flush=True)
    (folder,) = make_specimens(out / "guide", 1, seed, "easy", ("good",), long_side=LONG_SIDE)
    for name in (DATA, MAIL):
        shutil.rmtree(out / name, ignore_errors=True)
    with stand_in() as provider:
        settings = Settings.model_validate({
            "storage": {"data_dir": out / DATA}, "api": {"port": 0}, "delivery": {"mail_dir": out / MAIL},
            "identity": {"stand_in_url": provider.url}})
        _apply_process(settings)
        print("starting the service (API, workers, deliverer) …", flush=True)
        with running_service(settings, log_file=out / "guide-service.log") as service:
            return Walk(service, provider, out / MAIL, folder, Phone).run()


class Walk:
    """One citizen's way. `parts`: what her phone photographs, by the names of the API."""

    def __init__(self, service: Service, provider: StandIn, mail: Path, folder: Path, phone: type[Phone]) -> None:
        self._service, self._provider, self._mail, self._phone = service, provider, mail, phone
        self._parts = {path.stem: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")}
        self._words = json.loads((folder / "support.json").read_text(encoding="utf-8"))
        self._step = 0

    def run(self) -> bool:
        import httpx

        headers = {"Authorization": f"Bearer {self._service.secret}"}
        with httpx.Client(base_url=self._service.url, headers=headers, timeout=30) as backend:
            phone = self._phone(self._service.url)
            self._say("the app is installed", f"the phone made a key of its own: {phone.thumbprint}")
            place = self._ask_for_code(backend, phone)
            code = self._read_mail(backend, place)
            self._confirm(backend, phone, place, code)
            return self._support(backend, phone)

    def _ask_for_code(self, backend: httpx.Client, phone: Phone) -> str:
        token = self._provider.sign_in(EMAIL)
        self._say("signs in", f"the provider vouches for {EMAIL}")
        words = {"provider": "stand_in", "token": token, "process": PROCESS["id"], "as_of": self._words["as_of"]}
        parts = {"front": self._parts["front"], "activation": json.dumps(words).encode()}
        answer = _sent(backend, phone, "/v1/activations", parts, 202)
        self._say("photographs the front", f"202: {answer.json()['state']}, {answer.headers['Location']}")
        return answer.headers["Location"]

    def _read_mail(self, backend: httpx.Client, place: str) -> str:
        begun = time.monotonic()
        standing = _until(backend, place, lambda one: one["state"] not in ("waiting", "sending"))
        self._say("a worker looks at the front", f"{standing['state']} after {time.monotonic() - begun:.1f} s"
                                                 + "".join(f"; {one['message']}" for one in standing["reasons"]))
        (file,) = self._mail.glob("*.eml")
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = mail.get_body()
        text = body.get_content() if body is not None else ""
        self._say("opens her mail", f"to {mail['To']}: “{text.splitlines()[0]}”")
        return "".join(re.findall(r"\d{4}", text.splitlines()[0]))

    def _confirm(self, backend: httpx.Client, phone: Phone, place: str, code: str) -> None:
        body = {"body": json.dumps({"code": code}).encode()}
        path = f"{place}/confirm"
        stolen = backend.post(path, content=body["body"], headers=self._phone(self._service.url).proof(path, body))
        self._say("somebody tries the code on another phone", f"{stolen.status_code} {stolen.json()['code']}")
        answer = backend.post(path, content=body["body"], headers=phone.proof(path, body))
        _demand(answer, 200)
        self._say("enters the code", f"200: a token for {answer.json()['expires_in']} s, bound to the phone's key")
        again = backend.post(path, content=body["body"], headers=phone.proof(path, body))
        self._say("enters it again", f"{again.status_code} {again.json()['code']}")

    def _support(self, backend: httpx.Client, phone: Phone) -> bool:
        notice = backend.get(f"/v1/processes/{PROCESS['id']}").json()["notices"][-1]
        words = {**self._words, "process": PROCESS["id"], "notice_version": notice["version"]}
        parts = {**self._parts, "support": json.dumps(words).encode()}
        headers = phone.proof("/v1/supports", parts)
        self._say("model, both sides, selfie, signature",
                  f"model {words['chosen_model']}; {', '.join(self._parts)}; agrees to notice {notice['version']}")
        answer = _sent(backend, phone, "/v1/supports", parts, 202, headers)
        self._say("sends her support", f"202: {answer.headers['Location']}, folio {answer.json()['folio']}")
        replayed = _post(backend, "/v1/supports", parts, headers)
        self._say("somebody sends it again with the same proof", f"{replayed.status_code} {replayed.json()['code']}")
        begun = time.monotonic()
        resource = _until(backend, answer.headers["Location"], lambda one: one["verdict"] is not None)
        checks = {check["name"]: check["outcome"] for check in resource["checks"]}
        reasons = "".join(f"; {reason['code']}" for reason in resource["reasons"])
        self._say("the verdict", f"{resource['verdict']} after {time.monotonic() - begun:.1f} s, device {checks['device']}, "
                                 f"consent {checks['consent']}{reasons}")
        return (resource["verdict"], checks["device"], checks["consent"]) == ("accepted", "passed", "passed")

    def _say(self, what: str, came: str) -> None:
        self._step += 1
        print(f"{self._step:2}. {what}\n      {came}", flush=True)


def _sent(backend: httpx.Client, phone: Phone, path: str, parts: dict[str, bytes], status: int,
          headers: dict[str, str] | None = None) -> httpx.Response:
    answer = _post(backend, path, parts, headers or phone.proof(path, parts))
    _demand(answer, status)
    return answer


def _post(backend: httpx.Client, path: str, parts: dict[str, bytes], headers: dict[str, str]) -> httpx.Response:
    """With an idempotency key of its own, as a backend does."""
    return backend.post(path, files={name: (name, data) for name, data in parts.items()},
                        headers={**headers, "Idempotency-Key": f"guide-{time.time_ns()}"})


def _until(backend: httpx.Client, place: str, done: Any) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while True:
        standing: dict[str, Any] = backend.get(place).raise_for_status().json()
        if done(standing):
            return standing
        if time.monotonic() > deadline:
            raise Unavailable(f"{place} did not move on in {WAIT_S} s: see guide-service.log")
        time.sleep(POLL_S)


def _demand(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise Unavailable(f"expected {status}, got {answer.status_code}: {answer.text[:300]}")


def _apply_process(settings: Any) -> None:
    from pipeline.domain.process import DEMO_PROCESS, IN_EARNEST
    from pipeline.records.processes import ProcessFile, apply_process
    from pipeline.records.storage import open_storage

    required = DEMO_PROCESS.required | IN_EARNEST
    storage = open_storage(settings.storage)
    apply_process(storage.engine, ProcessFile.model_validate({**PROCESS, "required": required}))
    storage.engine.dispose()
