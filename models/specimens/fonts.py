"""The free sans faces that specimens are printed in; they come with Python packages, so that every machine has the same."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from pipeline.errors import Misconfigured

FAMILIES = (
    ("font_roboto", ("Roboto-Regular.ttf", "Roboto-Medium.ttf", "Roboto-Bold.ttf")),
    ("font_source_sans_pro", ("SourceSansPro-Regular.ttf", "SourceSansPro-Semibold.ttf", "SourceSansPro-Bold.ttf")),
    ("font_hanken_grotesk", ("HankenGrotesk-Regular.otf", "HankenGrotesk-SemiBold.otf", "HankenGrotesk-Bold.otf")),
)
"""Package and its regular, half-bold and bold files: Roboto (Apache-2.0), Source Sans Pro and Hanken Grotesk (OFL)."""


def sans_fonts() -> tuple[Path, ...]:
    """All font files, three weights of three families, in a fixed order. Raises `Misconfigured` where a package is missing."""
    return tuple(path for index in range(len(FAMILIES)) for path in family(index))


def family(index: int) -> tuple[Path, Path, Path]:
    """Regular, half-bold and bold of one family (0 to 2). Raises `Misconfigured` where its package is missing."""
    package, names = FAMILIES[index]
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise Misconfigured(f"the package {package.replace('_', '-')} is not installed: install requirements.lock")
    regular, half, bold = (Path(folders[0], "files", name) for name in names)
    return regular, half, bold


@lru_cache(maxsize=256)
def load(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    """A face at a size in pixels (em), laid out glyph by glyph so that every machine sets it alike."""
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=256)
def em_for_cap(path: Path, cap_px: float) -> int:
    """The em, in whole pixels, whose capital H stands `cap_px` high."""
    _, top, _, bottom = load(path, 1000).getbbox("H", anchor="ls")
    return max(4, round(1000 * cap_px / (bottom - top)))
