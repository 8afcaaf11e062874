"""Mail to the operator: through an SMTP server, or, where none is set, into a folder."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage

from pipeline.blobs.files import put_file_if_absent, read_secret
from pipeline.records.deliveries import Attempt
from pipeline.settings import DeliverySettings


def message(attempt: Attempt, settings: DeliverySettings) -> EmailMessage:
    """What a dead delivery is told in. Ids and codes only; the same Message-ID at every attempt."""
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.mail_from, settings.mail_to or "operator@localhost"
    mail["Subject"] = "Apoyo: a webhook was given up"
    mail["Message-ID"] = f"<{attempt.event_id}@apoyo>"
    mail["Date"] = attempt.created_at
    told = attempt.body
    mail.set_content(f"webhook: {told['webhook']}\nevent: {told['event']}\ntype: {told['type']}\nlast error: {told['error']}\n\n"
                     "Its receiver did not take the event in days. Once it answers again,\n"
                     f"POST /v1/webhooks/{told['webhook']}/replay\nsends what was given up once more.\n")
    return mail


def send(attempt: Attempt, settings: DeliverySettings) -> str | None:
    """None if it was taken, else a code that says why not. Blocking."""
    mail = message(attempt, settings)
    try:
        if settings.smtp_host:
            _by_smtp(mail, settings)
        else:  # a second attempt finds the file there: one mail
            put_file_if_absent(settings.mail_dir / f"{attempt.event_id}.eml", bytes(mail))
    except (smtplib.SMTPException, OSError) as error:
        return f"mail.{type(error).__name__}"
    return None


def _by_smtp(mail: EmailMessage, settings: DeliverySettings) -> None:
    with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.attempt_seconds) as server:
        if settings.smtp_starttls:
            server.starttls(context=ssl.create_default_context(cafile=settings.ca_file))
        if settings.smtp_user:
            server.login(settings.smtp_user, read_secret(settings.smtp_password_file, "the SMTP password's file"))
        server.send_message(mail)
