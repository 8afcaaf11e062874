"""Fails on a file over 400 lines or a function over 60: `python -m scripts.check_sizes`. What grows is split, not excused."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

MAX_FILE, MAX_FUNCTION = 400, 60
ROOMS = ("pipeline", "models", "api", "benchmarks", "scripts", "tests")


def too_long(root: Path) -> list[str]:
    """One line for each offence, with its place."""
    found = []
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MAX_FILE:
            found.append(f"{path.relative_to(root)}: {lines} lines (at most {MAX_FILE})")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > MAX_FUNCTION:
                    found.append(f"{path.relative_to(root)}:{node.lineno}: {node.name} has {size} lines (at most {MAX_FUNCTION})")
    return found


def main() -> int:
    offences = too_long(Path(__file__).resolve().parent.parent)
    print("\n".join(offences) or "sizes: every file and function within bounds")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
