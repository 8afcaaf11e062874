"""Stand-ins for the two halves of the job, where the test is about what stands around them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.decide import decide
from pipeline.domain.calibration import Calibration
from pipeline.domain.capture import Capture
from pipeline.domain.evidence import Evidence
from pipeline.electoral_roll import NoRoll
from pipeline.errors import Misconfigured
from pipeline.judge import Judge
from pipeline.networks.api import Array, Net, Networks
from tests.unit.good_support import calibration, good_support


class NoNetworks:
    """`Networks` of an installation without any."""

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        raise Misconfigured(f"no {name} here")

    def digests(self) -> dict[str, str]:
        return {}


def judge(before: Callable[[Capture], None] = lambda _capture: None) -> Judge:
    """Sees a good support in whatever is sent, after `before` was called with it; decides by the real table."""

    def examine(capture: Capture, _networks: Networks, _calibration: Calibration) -> Evidence:
        before(capture)
        return good_support()

    return Judge(examine, decide, NoNetworks(), calibration(), NoRoll())
