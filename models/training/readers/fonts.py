"""Fonts for training lines: the packages' sans faces, and Debian's where they are installed (see the README of models)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from models.specimens.fonts import sans_fonts

DEBIAN = Path("/usr/share/fonts")
DEBIAN_SANS = (
    "truetype/liberation/LiberationSans-Regular.ttf", "truetype/liberation/LiberationSans-Bold.ttf",
    "truetype/liberation/LiberationSansNarrow-Regular.ttf", "truetype/liberation/LiberationSansNarrow-Bold.ttf",
    "truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSans-Bold.ttf", "truetype/dejavu/DejaVuSansCondensed.ttf",
    "truetype/dejavu/DejaVuSansCondensed-Bold.ttf",
    "truetype/open-sans/OpenSans-Regular.ttf", "truetype/open-sans/OpenSans-Semibold.ttf",
    "truetype/open-sans/OpenSans-CondBold.ttf",
    "truetype/freefont/FreeSans.ttf", "truetype/freefont/FreeSansBold.ttf", "truetype/noto/NotoSans-Regular.ttf",
    "truetype/noto/NotoSans-Bold.ttf", "opentype/urw-base35/NimbusSans-Regular.otf", "opentype/urw-base35/NimbusSans-Bold.otf",
    "opentype/urw-base35/NimbusSansNarrow-Regular.otf", "opentype/urw-base35/NimbusSansNarrow-Bold.otf",
    "truetype/liberation/LiberationMono-Regular.ttf", "truetype/dejavu/DejaVuSansMono.ttf",
)
DEBIAN_OCRB = ("OCRB.otf", "OCRBL.otf", "OCRBS.otf")
HELD_OUT = ("truetype/lato/Lato-Regular.ttf", "truetype/lato/Lato-Bold.ttf", "opentype/cantarell/Cantarell-Regular.otf",
            "opentype/cantarell/Cantarell-VF.otf")
"""Never trained on: what the readers are judged with."""


@cache
def field_fonts() -> tuple[Path, ...]:
    """Faces to train fields on; the packages' alone where Debian's are not installed."""
    return (*sans_fonts(), *_installed(DEBIAN_SANS))


@cache
def held_out_fonts() -> tuple[Path, ...]:
    return _installed(HELD_OUT)


@cache
def ocrb_fonts() -> tuple[Path, ...]:
    """Debian's OCR-B faces (package fonts-ocr-b); none where they are not installed."""
    return tuple(path for name in DEBIAN_OCRB if (path := DEBIAN / "opentype/ocr-b" / name).is_file())


def _installed(names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(path for name in names if (path := DEBIAN / name).is_file())
