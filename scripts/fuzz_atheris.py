"""One target under atheris, which takes the rest of the command line: `python -m scripts.fuzz_atheris NAME …`, called by
`scripts.fuzz`. Needs what `make security` installs."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["api", "pipeline", "models"]):
    from benchmarks.security.targets import TARGETS


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def take(data: bytes) -> None:
        target.take(data)

    atheris.Setup(sys.argv, take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
