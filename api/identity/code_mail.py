"""The mail that carries an activation's code. The one place where code and address meet, and neither is ever logged."""

from __future__ import annotations

from email.message import EmailMessage

from api import mail
from pipeline.domain.activation import AWAITS_CODE
from pipeline.records.activations import EMAIL, VERSION, ActivationRecord, code_of, get_activation
from pipeline.records.deliveries import Attempt
from pipeline.records.storage import Storage
from pipeline.settings import DeliverySettings

HALF = 4
"""Digits are read and typed in groups."""


def send_code(attempt: Attempt, storage: Storage, settings: DeliverySettings) -> str | None:
    """None if the mail was taken, or is wanted no more; else a code that says why not. Blocking. Raises `ApoyoError`."""
    record = get_activation(storage.engine, attempt.body["activation"])
    if record.state not in AWAITS_CODE:
        return None
    address = record.open_key(storage.keyring).open(EMAIL, VERSION, record.sealed_email).decode()
    return mail.put(_message(attempt, record, address, code_of(storage.keyring, record.id, record.device), settings),
                    attempt.event_id, settings)


def _message(attempt: Attempt, record: ActivationRecord, address: str, code: str, settings: DeliverySettings) -> EmailMessage:
    said = mail.addressed(attempt, address, settings)
    said["Subject"] = "Tu código de activación de Apoyo Ciudadano"
    hours = round((record.expires_at - record.created_at).total_seconds() / 3600)
    said.set_content(f"Tu código de activación es: {code[:HALF]} {code[HALF:]}\n\n"
                     "Escríbelo en la aplicación, en el mismo teléfono en el que lo pediste.\n"
                     f"Sirve durante {hours} horas y una sola vez.\n"
                     "No se lo des a nadie: nadie te lo pedirá por teléfono ni por mensaje.\n\n"
                     "Si no lo pediste, no tienes que hacer nada.\n")
    return said
