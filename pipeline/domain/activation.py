"""An activation: a phone's key tied to an account's mail and to a credential that was seen. Its states, and what bounds it."""

from __future__ import annotations

from enum import StrEnum


class ActivationState(StrEnum):
    """Where an activation stands. `waiting`: for a worker to look at the front; `sending`: for the mail to be taken."""

    WAITING = "waiting"
    REFUSED = "refused"
    SENDING = "sending"
    CODE_SENT = "code_sent"
    BOUNCED = "bounced"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    ENDED = "ended"


AWAITS_CODE = frozenset({ActivationState.SENDING, ActivationState.CODE_SENT, ActivationState.BOUNCED})
"""A code may be entered: a mail that was refused once may have come by another try, and one that is under way may be there."""
CODE_DIGITS = 8
"""Five tries among a hundred million."""
MAX_ATTEMPTS = 5
"""Wrong codes, after which the activation is over."""
MAX_SENDS = 3
"""Mails of one activation."""
RESEND_SECONDS = 60
"""Between two of them: mail takes about that long."""
LIFE_SECONDS = 24 * 3600
"""Of the code, from the request on (the guide's 24 hours)."""
MAX_A_DAY = 5
"""Activations of one account, and of one phone, in a day: nobody's mailbox is flooded from here."""
