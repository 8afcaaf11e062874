"""The images' recipe and what travels into it. No image is built here: that needs a daemon."""

from __future__ import annotations

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "k8s" / "images" / "Dockerfile").read_text()
MOST_BYTES = 20 << 20
"""The context: code, and the weights that are trained here (some 3 MB). An image or a database more would show."""


def stages() -> dict[str, tuple[str, str]]:
    """Name of each stage: what it starts from, and its text."""
    found = re.split(r"^FROM (\S+) AS (\S+)$", re.sub(r"(?m)^#.*\n", "", DOCKERFILE).replace("\\\n", " "), flags=re.MULTILINE)
    return {name: (start, text) for start, name, text in zip(found[1::3], found[2::3], found[3::3], strict=True)}


def lineage(stage: str) -> list[tuple[str, str]]:
    found = []
    while stage in stages():
        found.append(stages()[stage])
        stage = found[-1][0]
    return found


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_what_runs_is_not_root_and_has_no_compiler(target: str) -> None:
    text = "\n".join(part for _, part in lineage(target))
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert not re.search(r"\b(gcc|g\+\+|build-essential|cmake|git|curl)\b", text)
    assert re.findall(r"apt-get install\s+(?:-\S+\s+)*([^&]*?)\s*&&", text) == ["wget"]
    assert "pip uninstall -y pip setuptools wheel" in text
    assert not re.search(r"^(ADD|VOLUME)|--privileged|PASSWORD|SECRET", text, re.MULTILINE)


def test_every_start_is_pinned() -> None:
    outer = {start for start, _ in stages().values() if start not in stages()}
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", start) for start in outer), outer


def test_packages_and_weights_come_by_hash() -> None:
    text = "\n".join(part for _, part in stages().values())
    installs = re.findall(r"pip install [^&\n]*", text)
    assert len(installs) == 4
    assert all("--require-hashes" in install or install.strip().endswith("-e .") for install in installs)
    assert "python -m models.prepare" in text
    for lock in ("gpu", "sbom"):
        text = (ROOT / "k8s" / "images" / f"requirements-{lock}.lock").read_text()
        assert len(re.findall(r"^\S+==\S+ \\$", text, re.MULTILINE)) == len(re.findall(r"^\S+==", text, re.MULTILINE)) > 0


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_what_is_in_an_image_is_listed_in_it(target: str) -> None:
    copied = re.findall(r"COPY --from=(\S+) /opt/apoyo /opt/apoyo", stages()[target][1])
    assert len(copied) == 1
    assert re.search(r"cyclonedx-py environment /opt/apoyo/bin/python .*-o /opt/apoyo/sbom\.json", stages()[copied[0]][1])


def allowed(path: str, rules: list[str]) -> bool:
    """By .dockerignore's reading: the last rule that matches the path or a folder above it decides."""
    said = True
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
    for rule in rules:
        pattern = rule.lstrip("!").removeprefix("**/")
        if any(fnmatch.fnmatch(parent if "/" in pattern else parent.rpartition("/")[2] if rule.lstrip("!").startswith("**/") else parent,
                               pattern) for parent in parents):
            said = rule.startswith("!")
    return said


def test_only_what_runs_travels() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    kept = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    travelling = [path for path in kept if allowed(path, rules)]
    for needed in ("pipeline/worker.py", "api/app.py", "models/manifest.toml", "requirements.lock", "setup.cfg", "pyproject.toml", "README.md",
                   "pipeline/records/migrations/env.py", "k8s/images/requirements-gpu.lock"):
        assert needed in travelling
    for kind in ("tests/", "docs/", ".git", "k8s/base", "k8s/overlays", "models/training/"):
        assert not [path for path in travelling if path.startswith(kind)]
    for left in ("var/keys/kek", "var/apoyo.sqlite3", "var/client-secret", ".env", "demo/front.jpg", "pipeline/__pycache__/a.pyc",
                 "models/weights/derived/face_detector.onnx"):
        assert not allowed(left, rules), left
    assert sum((ROOT / path).stat().st_size for path in travelling) < MOST_BYTES
