"""By what a verdict was made, beside its policy and its networks: digests of the code and of the thresholds.

Of the files themselves, so that an image, a wheel and a clone of one state say the same, and a changed line says another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.domain.calibration import Calibration

DIGITS = 12
"""Of SHA-256 in hex: enough to tell states of one project apart."""


def versions(calibration: Calibration) -> Mapping[str, str]:
    """`code`: of this program.  `thresholds`: of these."""
    values = {name: threshold.value for name, threshold in sorted(calibration.thresholds.items())}
    return {"code": code_digest(), "thresholds": hashlib.sha256(json.dumps(values).encode()).hexdigest()[:DIGITS]}


@cache
def code_digest(root: Path = Path(__file__).parent) -> str:
    """Of every module of the pipeline, by name and content, once a process."""
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{content}  {file.relative_to(root).as_posix()}\n".encode())
    return digest.hexdigest()[:DIGITS]
