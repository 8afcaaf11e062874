"""Fails where `os.environ` is read outside settings, or marks of unfinished work stand: `python -m scripts.check_words`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = "scripts/check_words.py"
SETTINGS = {HERE, "pipeline/settings.py", "pipeline/actors/cluster.py"}
RULES = (
    (re.compile(r"os\.environ|os\.getenv"), SETTINGS, "the environment is read in settings only"),
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), {HERE}, "unfinished work is an issue, not a comment"),
    (re.compile(r"NotImplementedError"), {HERE}, "no stubs"),
)
ROOMS = ("pipeline", "models", "api", "benchmarks", "scripts")


def offences(root: Path) -> list[str]:
    found = []
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        place = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{place}:{number}: {why}" for pattern, allowed, why in RULES
                      if place not in allowed and pattern.search(line)]
    return found


def main() -> int:
    found = offences(Path(__file__).resolve().parent.parent)
    print("\n".join(found) or "words: nothing out of place")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
