"""Model packs that an operator brings: kept under models/weights/packs, each file by its SHA-256, never part of a release."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.registry import ROOT, checked_bytes
from pipeline.errors import Misconfigured

PACKS = ROOT / "weights" / "packs"
ROLES = ("detector", "recogniser")
LICENCE = ("InsightFace's published model packs are for non-commercial research only, unless their owner licenses you otherwise "
           "(https://github.com/deepinsight/insightface, section License)")


@dataclass(frozen=True, slots=True)
class PackFiles:
    """One pack: SHA-256 by role."""

    name: str
    licence: str
    sha256: dict[str, str]
    folder: Path

    def path(self, role: str) -> Path:
        """The verified file. Raises `Misconfigured` where it is missing or has changed."""
        path = self.folder / f"{self.sha256[role]}.onnx"
        checked_bytes(path, self.sha256[role])
        return path


def add_pack(name: str, source: Path, role_of: Callable[[Path], str | None], packs: Path = PACKS) -> tuple[PackFiles, list[str]]:
    """Copies a pack's detector and recogniser from `source`, and says which of its other files were left.

    name: as `insightface:buffalo_l`.  role_of: what a file is; raises `Misconfigured` for a foreign one.
    Raises `Misconfigured` for another name, an empty folder, a missing role, or two files for one role.
    """
    vendor, _, short = name.partition(":")
    if vendor != "insightface" or not short.replace("_", "").isalnum():
        raise Misconfigured(f"{name!r} is no pack that is known here: name it as insightface:buffalo_l")
    files = sorted(source.glob("*.onnx"))
    if not files:
        raise Misconfigured(f"no .onnx file in {source}: unpack the pack's archive and name the folder that holds its files")
    found: dict[str, Path] = {}
    left = []
    for path in files:
        role = role_of(path)
        if role is None:
            left.append(path.name)
        elif role in found:
            raise Misconfigured(f"{found[role].name} and {path.name} are both a {role}: name a folder with one pack alone")
        else:
            found[role] = path
    missing = [role for role in ROLES if role not in found]
    if missing:
        others = ", ".join(left) or "nothing else"
        raise Misconfigured(f"no {missing[0]} among the files in {source} ({others}): is the pack whole?")
    folder = packs / f"{vendor}-{short}"
    folder.mkdir(parents=True, exist_ok=True)
    digests = {role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in found.items()}
    for role, path in found.items():
        shutil.copyfile(path, folder / f"{digests[role]}.onnx")
    about = {"name": name, "licence": LICENCE, "sha256": digests, "files": {role: path.name for role, path in found.items()}}
    (folder / "pack.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return PackFiles(name, LICENCE, digests, folder), left


def list_packs(packs: Path = PACKS) -> list[PackFiles]:
    """The packs that were added. Raises `Misconfigured` for a note that cannot be read."""
    return [_read(note) for note in sorted(packs.glob("*/pack.json"))]


def find_pack(name: str, packs: Path = PACKS) -> PackFiles:
    """Raises `Misconfigured` for a pack that was not added."""
    found = next((pack for pack in list_packs(packs) if pack.name == name), None)
    if found is None:
        raise Misconfigured(f"the pack {name!r} was not added: apoyo models add {name} --accept-licence --path DIR")
    return found


def _read(note: Path) -> PackFiles:
    try:
        row = json.loads(note.read_text(encoding="utf-8"))
        return PackFiles(row["name"], row["licence"], {role: row["sha256"][role] for role in ROLES}, note.parent)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{note} cannot be read: delete its folder and add the pack again") from error
