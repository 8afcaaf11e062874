"""`apoyo config reference` and `apoyo config check`: the settings, as a page made from their types, and as they are set here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipeline.errors import ApoyoError
from pipeline.settings import Settings, mistakes

config = typer.Typer(no_args_is_help=True, help="The settings: what there is, and whether they are right here.")
BROKEN = 1
"""Exit code where something is wrong; 2 is for unusable arguments."""
UNITS = {"_seconds": "s", "_bytes": "bytes", "_a_minute": "a minute", "_file": "path", "_dir": "path", "port": "port"}
RESTART = {"storage": "every program", "api": "API", "worker": "workers", "networks": "workers",
           "delivery": "deliverer, API", "identity": "API", "ray": "workers",
           "tracing": "every program"}
"""Settings are read once, at the start: which programs have to be started again for a change."""
HIDDEN = {"faults"}
HEADER = """# Configuration

Made from `pipeline/settings.py` by `apoyo config reference --out docs/configuration.md`; a test fails where the two differ.

Each value is an environment variable. Nothing has to be set on one machine. Secrets are never variables: a variable names the
file that holds one. Settings are read once, at the start: the last column names the programs that have to be started again. A
process's policy is not here: `apoyo processes apply` changes it without a restart (docs/api.md). `apoyo config check` says what
is wrong.
"""


@config.command("reference")
def reference(out: Annotated[Path | None, typer.Option(help="Write it there; else it is printed.")] = None) -> None:
    """The page of all settings: name, default, unit, example, and which programs a change restarts."""
    page = reference_page()
    if out is None:
        print(page, end="")
    else:
        out.write_text(page, encoding="utf-8")


@config.command("check")
def check(jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False) -> None:
    """Read the settings as every program does, and name all that is wrong with them; exit code 1 where something is."""
    found = [*mistakes(), *contradictions()]
    for name, wrong in found:
        print(json.dumps({"variable": name, "wrong": wrong}, ensure_ascii=False) if jsonl else f"{name}: {wrong}")
    if found:
        raise typer.Exit(BROKEN)
    if not jsonl:
        print("nothing is wrong with the settings; `apoyo doctor` looks at what they name")


def reference_page() -> str:
    parts = [HEADER]
    for section, field in Settings.model_fields.items():
        if section in HIDDEN:
            continue
        kind: Any = field.annotation
        parts.append(f"\n## {section.capitalize()}\n\n{(kind.__doc__ or '').strip()}\n\n"
                     "| variable | default | unit | example | meaning | restart |\n|---|---|---|---|---|---|\n")
        parts += [_row(section, name, value) for name, value in kind.model_fields.items()]
    return "".join(parts)


def _row(section: str, name: str, field: FieldInfo) -> str:
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    cells = [f"`APOYO_{section.upper()}__{name.upper()}`", _default(field), unit, f"`{_example(field)}`",
             " ".join((field.description or "").split()), RESTART[section]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "the cores there are"
    return "" if field.default in (None, "", Path()) else f"`{_text(field.default)}`"


def _example(field: FieldInfo) -> str:
    return _text(field.examples[0] if field.examples else 2 if field.default_factory is not None else field.default)


def _text(value: object) -> str:
    """As it is written in an environment."""
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return json.dumps(value)
        case _:
            return str(value)


def contradictions() -> Iterator[tuple[str, str]]:
    """What each value may be and all of them together may not. Nothing where the settings do not load at all."""
    try:
        settings = Settings.load()
    except ApoyoError:
        return
    storage, worker, delivery = settings.storage, settings.worker, settings.delivery
    try:
        backend = make_url(storage.database_url)
    except ArgumentError:
        yield "APOYO_STORAGE__DATABASE_URL", "is no URL: postgresql+psycopg://USER@HOST:PORT/NAME, or empty"
    else:
        if backend.get_backend_name() not in ("postgresql", "sqlite"):
            yield "APOYO_STORAGE__DATABASE_URL", "only postgresql+psycopg:// and sqlite:/// are known"
        if backend.password is not None:
            yield "APOYO_STORAGE__DATABASE_URL", "holds a password: name a file of it in APOYO_STORAGE__DATABASE_PASSWORD_FILE"
        if backend.get_backend_name() == "sqlite" and storage.s3_endpoint:
            yield "APOYO_STORAGE__S3_ENDPOINT", "is for several machines, and SQLite serves one: set DATABASE_URL too"
    if storage.s3_endpoint and not storage.s3_endpoint.startswith(("http://", "https://")):
        yield "APOYO_STORAGE__S3_ENDPOINT", "must begin with http:// or https://"
    for name in ("s3_access_key_file", "s3_secret_key_file"):
        if storage.s3_endpoint and getattr(storage, name) is None:
            yield f"APOYO_STORAGE__{name.upper()}", "is needed with S3_ENDPOINT"
    if storage.key_service_url and storage.key_service_token_file is None:
        yield "APOYO_STORAGE__KEY_SERVICE_TOKEN_FILE", "is needed with KEY_SERVICE_URL"
    if storage.key_service_url and storage.key_variable:
        yield "APOYO_STORAGE__KEY_VARIABLE", "counts for nothing beside KEY_SERVICE_URL"
    if worker.max_count and worker.max_count < worker.count:
        yield "APOYO_WORKER__MAX_COUNT", f"is below COUNT ({worker.count}): 0 keeps COUNT, more lets the backlog bring workers up"
    if worker.hard_deadline_seconds < worker.lease_seconds:
        yield "APOYO_WORKER__HARD_DEADLINE_SECONDS", "is below LEASE_SECONDS: an attempt would end before its first lease does"
    if delivery.smtp_user and delivery.smtp_password_file is None:
        yield "APOYO_DELIVERY__SMTP_PASSWORD_FILE", "is needed with SMTP_USER"
    if delivery.smtp_host and not delivery.mail_to:
        yield "APOYO_DELIVERY__MAIL_TO", "is needed with SMTP_HOST: operator@localhost is nobody there"
    identity = settings.identity
    if not identity.public_url and (identity.google_audiences or identity.facebook_audiences or identity.x_api_url):
        yield "APOYO_IDENTITY__PUBLIC_URL", "is needed where accounts are taken: phones sign for that URL"
    if identity.stand_in_url and identity.public_url.startswith("https://"):
        yield "APOYO_IDENTITY__STAND_IN_URL", "vouches for anybody: it is for tests, and PUBLIC_URL names a service that is none"
    yield from _absent_files(settings)


def _absent_files(settings: Settings) -> Iterator[tuple[str, str]]:
    """Files that the operator makes; those that a first start makes may be absent."""
    made = {"key_file", "receipt_key_file", "pack_key_file", "client_secret_file",
            "log_file", *(() if settings.ray.address else ("token_file",))}
    for section, values in settings:
        for name, value in values:
            if name.endswith("_file") and name not in made and value is not None and not value.is_file():
                yield f"APOYO_{section.upper()}__{name.upper()}", f"there is no file {value}"
