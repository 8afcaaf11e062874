"""The rules of the tree that a linter of imports does not see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_sizes import too_long
from scripts.check_words import offences

ROOT = Path(__file__).resolve().parents[2]


def test_files_and_functions_stay_small() -> None:
    assert too_long(ROOT) == []


def test_no_word_stands_where_it_must_not() -> None:
    assert offences(ROOT) == []


def test_the_size_lint_bites(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    body = "\n".join(f"    x{n} = {n}" for n in range(60))
    (tmp_path / "pipeline" / "long.py").write_text(f"def long():\n{body}\n" + "\n" * 400)
    assert [line.split(":")[0] for line in too_long(tmp_path)] == ["pipeline/long.py", "pipeline/long.py"]


def test_the_word_lint_bites(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "x.py").write_text("import os\nHOME = os.environ['HOME']\n")
    assert offences(tmp_path) == ["api/x.py:2: the environment is read in settings only"]


@pytest.mark.parametrize(("module", "absent"), [
    ("pipeline.domain.evidence", ("cv2", "numpy", "ray", "onnxruntime", "sqlalchemy")),
    ("pipeline.decide", ("cv2", "numpy", "ray", "onnxruntime")),
    ("pipeline.cli.check_upload", ("cv2", "numpy", "ray", "onnxruntime")),
    ("pipeline.verify", ("ray", "sqlalchemy", "fastapi")),
    ("api.app", ("cv2", "numpy", "ray", "onnxruntime")),
])
def test_a_room_loads_only_what_it_needs(module: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_s_commands_exist() -> None:
    """Two commands make a newcomer's day; both are targets of the Makefile, and CI calls the second."""
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if line[:1].isalpha() and ":" in line}
    readme = (ROOT / "README.md").read_text()
    used = {word for line in readme.splitlines() if line.startswith("    make ") for word in line.split()[1:2]}
    assert {"demo", "test", "up"} <= used <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()
