"""Every error of ours. Each carries a stable code and whether trying again can help; never an HTTP status.

ApoyoError
├── BadInput              what was sent cannot be used; the message says what to do next
│   ├── BadUpload         a file that the door refuses (pipeline.domain.upload)
│   ├── BadSupportInfo    the `support` part or support.json
│   ├── BadToken          a signed token (a device's proof, a provider's word) that is not to be believed
│   └── BadPicture        bytes that do not decode to an image
├── NotFound              no such support, process, network
├── Erased                the support was erased for good; `detail` is its receipt's id
├── Conflict              the state does not allow it (idempotency, rounds)
├── LeaseLost             the fencing token is stale: somebody else holds the row
├── Corrupt               stored bytes fail their seal, size or checksum
├── Misconfigured         the installation is wrong: weights, settings, devices
└── Unavailable           a dependency does not answer now
"""

from __future__ import annotations


class ApoyoError(Exception):
    """Base of all. `code` is stable and public; `detail` is for developers and holds no personal datum."""

    code = "error"
    retryable = False

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between processes with the code kept."""
        return (_rebuild, (type(self), self.detail, self.code))


def _rebuild(kind: type[ApoyoError], detail: str, code: str) -> ApoyoError:
    return kind(detail, code=code)


class BadInput(ApoyoError):
    code = "bad_input"


class BadUpload(BadInput):
    code = "bad_upload"


class BadSupportInfo(BadInput):
    code = "bad_support_info"


class BadToken(BadInput):
    code = "bad_token"


class BadPicture(BadInput):
    code = "bad_picture"


class NotFound(ApoyoError):
    code = "not_found"


class Erased(ApoyoError):
    code = "support_erased"


class Conflict(ApoyoError):
    code = "conflict"


class LeaseLost(ApoyoError):
    code = "lease_lost"


class Corrupt(ApoyoError):
    code = "corrupt"


class Misconfigured(ApoyoError):
    code = "misconfigured"


class Unavailable(ApoyoError):
    code = "unavailable"
    retryable = True
