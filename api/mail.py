"""Mail: through an SMTP server, or, where none is set, into a folder; and what the operator is told by it."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

from pipeline.blobs.files import put_file_if_absent, read_secret
from pipeline.records.deliveries import Attempt
from pipeline.settings import DeliverySettings

REFUSED = "mail.refused"
"""The server will not take this mail however often it is sent: the address is wrong, or shut."""
FINAL = range(500, 600)
"""RFC 5321, 4.2.1: answers that are for good."""


def addressed(attempt: Attempt, address: str, settings: DeliverySettings) -> EmailMessage:
    """A mail without words; the same Message-ID at every attempt."""
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.mail_from, address
    mail["Message-ID"] = f"<{attempt.event_id}@apoyo>"
    mail["Date"] = attempt.created_at
    return mail


def message(attempt: Attempt, settings: DeliverySettings) -> EmailMessage:
    """What a dead delivery is told in. Ids and codes only."""
    mail = addressed(attempt, settings.mail_to or "operator@localhost", settings)
    mail["Subject"] = "Apoyo: a webhook was given up"
    told = attempt.body
    mail.set_content(f"webhook: {told['webhook']}\nevent: {told['event']}\ntype: {told['type']}\nlast error: {told['error']}\n\n"
                     "Its receiver did not take the event in days. Once it answers again,\n"
                     f"POST /v1/webhooks/{told['webhook']}/replay\nsends what was given up once more.\n")
    return mail


def send(attempt: Attempt, settings: DeliverySettings) -> str | None:
    """None if it was taken, else a code that says why not. Blocking."""
    return put(message(attempt, settings), attempt.event_id, settings)


def put(mail: EmailMessage, event_id: str, settings: DeliverySettings) -> str | None:
    """Hand one mail on: None if it was taken, `REFUSED` if it never will be, else another code. Blocking."""
    try:
        if settings.smtp_host:
            _by_smtp(mail, settings)
        else:  # a second attempt finds the file there: one mail
            put_file_if_absent(settings.mail_dir / f"{event_id}.eml", bytes(mail))
    except (smtplib.SMTPException, OSError) as error:
        if _for_good(error):
            return REFUSED
        return f"mail.{type(error).__name__}"
    return None


def _by_smtp(mail: EmailMessage, settings: DeliverySettings) -> None:
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.attempt_seconds) as server:
        if settings.smtp_starttls:
            server.starttls(context=ssl.create_default_context(cafile=settings.ca_file))
        if settings.smtp_user:
            server.login(settings.smtp_user, read_secret(settings.smtp_password_file, "the SMTP password's file"))
        server.send_message(mail)


def _for_good(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code in FINAL for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code in FINAL
