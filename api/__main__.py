"""`python -m api`: the intake alone, with the settings of the environment, until SIGTERM."""

from __future__ import annotations

import sys
import threading
from types import FrameType

import uvicorn

from api.app import create_app
from api.wire import BoundedHttp
from pipeline import faults, tracing
from pipeline.cores import forbid_core_dumps
from pipeline.errors import ApoyoError
from pipeline.records.clients import ensure_first_client
from pipeline.records.storage import open_storage
from pipeline.settings import Settings
from pipeline.telemetry import configure_logging, logger

SWITCH_SECONDS = 0.0005
"""How long a thread that stores may keep the one that receives from running: a tenth of Python's default, since that one answers
every request."""
DRAIN_SECONDS = 20
"""How long requests under way may still take after SIGTERM."""


def main() -> int:
    """Serve. Exit code 2 where the installation is wrong; the reason goes to the log."""
    configure_logging()
    forbid_core_dumps()
    try:
        settings = Settings.load()
        storage = open_storage(settings.storage)
        ensure_first_client(storage.engine, settings.storage.client_secret_file)
    except ApoyoError as error:
        logger("api").error("cannot_start", code=error.code, detail=error.detail)
        return 2
    logger("api").info("serving", host=settings.api.host, port=settings.api.port)
    tracing.start(settings.tracing, "api")
    app = create_app(storage, settings.api, identity=settings.identity, allow_loopback=settings.delivery.allow_loopback)
    faults.arm(settings.faults.points)
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(app, host=settings.api.host, port=settings.api.port, access_log=False, server_header=False,
                            proxy_headers=False, log_config=None, timeout_graceful_shutdown=DRAIN_SECONDS,
                            http=BoundedHttp, ws="none")
    Server(config, app.state.services.closing).run()
    return 0


class Server(uvicorn.Server):
    """Tells the application at once that it is to end: uvicorn does only when every connection is closed."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    sys.exit(main())
