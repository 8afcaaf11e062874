"""What is installed: versions against their floors, no pickle in the tree, and the native libraries that wheels carry.

`python -m benchmarks.security.supply OUT.json` writes the list of the latter: the image's bill of materials names packages only.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from benchmarks.security.door import Row

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "k8s/images/requirements-gpu.lock", "k8s/images/requirements-sbom.lock",
         "requirements-security.lock")
ROOMS = ("pipeline", "api", "models", "benchmarks", "scripts", "tests")
FORBIDDEN = frozenset({"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"})
"""Modules that run code while they read data. Ray pickles among its own processes: who reaches its ports must have its token."""
ALLOWED = frozenset({"tests/unit/test_sealing.py"})
"""Shows that an open key cannot be pickled."""
_BUILT_IN = (("jpeg", r"JPEG:\s+(\S.*)"), ("png", r"PNG:\s+(\S.*)"), ("webp", r"WEBP:\s+(\S.*)"), ("tiff", r"TIFF:\s+(\S.*)"),
             ("avif", r"AVIF:\s+(\S.*)"), ("jpeg2000", r"JPEG 2000:\s+(\S.*)"), ("zlib", r"ZLib:\s+(\S.*)"))


def version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("+")[0]))


def locked(lock: Path) -> dict[str, str]:
    """Version by package."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def below_floors(root: Path = ROOT) -> Iterator[Row]:
    """One row a floor and lock; a package that a lock does not name is none of its."""
    floors = tomllib.loads((ROOT / "benchmarks/security/floors.toml").read_text(encoding="utf-8"))
    for lock in LOCKS:
        has = locked(root / lock)
        for name, floor in floors.items():
            if name in has:
                least = floor["least"]
                yield Row(f"{name} in {lock}", f"{has[name]}, at least {least}", version(has[name]) >= version(least))


def unpicklers(root: Path = ROOT) -> Iterator[str]:
    """Places that import what runs code while it reads, let numpy do so, or let torch."""
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        place = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if place not in ALLOWED and not FORBIDDEN.isdisjoint(_imported(node)):
                yield f"{place}:{node.lineno}"  # type: ignore[attr-defined]
            if isinstance(node, ast.Call) and _unsafe(node):
                yield f"{place}:{node.lineno}"


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) and not node.level else set()


def _unsafe(call: ast.Call) -> bool:
    """`allow_pickle` that is not False, and `torch.load` without `weights_only=True`."""
    given = {word.arg: getattr(word.value, "value", "?") for word in call.keywords}
    if given.get("allow_pickle", False) is not False:
        return True
    return ast.unparse(call.func) == "torch.load" and given.get("weights_only") is not True


def native_libraries() -> list[dict[str, Any]]:
    """Each package with shared objects of its own or of others: their files, and the versions that their names or builds tell."""
    found = []
    for package in sorted(distributions(), key=lambda one: str(one.metadata["Name"]).lower()):
        files = [str(file) for file in package.files or () if re.search(r"\.so(\.|$)", str(file))]
        bundled = [re.fullmatch(r"(lib[^/]+?)(?:-[0-9a-f]{8})?\.so\.?(.*)", file.rpartition("/")[2]) for file in files]
        libraries = [{"name": one.group(1), "version": one.group(2) or None} for one in bundled if one]
        if files:
            found.append({"package": package.metadata["Name"], "version": package.version, "shared_objects": len(files),
                          "bundled": libraries, "built_in": _built_in(str(package.metadata["Name"]))})
    return found


def _built_in(package: str) -> dict[str, str]:
    """Of the two packages that decode pictures, what they were built with."""
    if package == "opencv-python-headless":
        import cv2

        told = cv2.getBuildInformation()
        return {name: match.group(1).strip() for name, pattern in _BUILT_IN if (match := re.search(pattern, told))}
    if package.lower() == "pillow":
        from PIL import features

        names = (*features.get_supported_codecs(), *features.get_supported_modules())
        return {name: str(known) for name in names if (known := features.version(name))}
    return {}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(native_libraries(), indent=1) + "\n", encoding="utf-8")
