"""What becomes of the mail that carries a code: sent again, shown, and returned. With a real SMTP server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from aiosmtpd.controller import Controller

from pipeline.domain.activation import MAX_SENDS, RESEND_SECONDS
from tests.contract.activation_scene import scene
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_webhooks import free_port, until
from tests.phones import Phone


def test_a_mail_is_sent_again_after_a_minute_and_twice_at_most(tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            place = await here.awaiting_code()
            check_problem(await here.post(place, "resend"), 409, "resend_too_soon")
            check_problem(await here.post(place, "resend", Phone()), 401, "device_proof_other_key")
            for _ in range(MAX_SENDS - 1):
                here.age(sent_at=RESEND_SECONDS)
                assert (await here.post(place, "resend")).status_code == 202
            here.age(sent_at=RESEND_SECONDS)
            check_problem(await here.post(place, "resend"), 409, "resends_spent")
            async with here.delivering():
                await here.until(place, "code_sent")
                await until(lambda: len(here.mails()) == MAX_SENDS)
            assert {mail.get_content() for mail in here.mails()} == {here.mails()[0].get_content()}  # the same code: whichever is read first

    anyio.run(run)


class Mailbox:
    """An SMTP server that answers recipients as it is told to."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.taken = list(answers), 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 (the library's)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802 (the library's)
        self.taken += 1
        return "250 OK"


@pytest.mark.parametrize(("answers", "state", "taken"), [
    ((), "code_sent", 1), (("451 later", "451 later"), "code_sent", 1), (("550 no such user",), "bounced", 0),
    (("451 later", "451 later", "451 later"), "bounced", 0)])
def test_what_becomes_of_the_mail_is_shown(answers: tuple[str, ...], state: str, taken: int, tmp_path: Path) -> None:
    async def run() -> None:
        with scene(tmp_path) as here:
            place = await here.awaiting_code()
            async with here.delivering(smtp_host="127.0.0.1", smtp_port=port, smtp_starttls=False):
                await here.until(place, state)
                assert mailbox.taken == taken
                if state == "bounced":  # the citizen may have it sent again, and a code that came by a second way is taken
                    here.age(sent_at=RESEND_SECONDS)
                    assert (await here.post(place, "resend")).status_code == 202
                    await here.until(place, "code_sent")
            assert (await here.confirm(place, here.code(place))).status_code == 200

    mailbox, port = Mailbox(*answers), free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        anyio.run(run)
    finally:
        controller.stop()
