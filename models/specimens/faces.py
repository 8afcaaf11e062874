"""Faces for specimens: portraits in the public domain or under Creative Commons, with their credits. None lies in the repository.

One comes with scikit-image; six are taken by `make weights` out of a source distribution, by its hash, into `portraits/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import Misconfigured

PORTRAITS = Path(__file__).parent / "portraits"
SEX_OF_FACE = {"astronaut": "M", "person_a": "H", "person_b": "M", "impostor_1": "H", "impostor_2": "H"}
"""Identity to the sex that an invented citizen with that face is given (H hombre, M mujer)."""

_BORDER = 1.0
_ID_HEADS = 1.62
"""Heights of the head that an identity photograph shows."""
_ID_ROOM = 0.13
"""Share of the height that is left over the hair, as far as the picture has it."""
_ID_ASPECT = 0.78

_ASTRONAUT_CREDIT = "Eileen Collins, NASA, public domain (scikit-image's `astronaut`)"
_FILES = (
    ("person_a", "person_a_1", (0.50, 0.09, 0.55), "Ministère de l'Economie et des Finances français, 2014, CC BY-SA 3.0 fr"),
    ("person_a", "person_a_2", (0.53, 0.05, 0.61), "Nebojša Tejić, 2025, public domain"),
    ("person_b", "person_b_1", (0.505, 0.03, 0.57), "Newzild, 2018, CC BY-SA 4.0"),
    ("person_b", "person_b_2", (0.51, 0.02, 0.60), "Office of the Vice President of the United States, 2022, public domain"),
    ("impostor_1", "impostor_1", (0.51, 0.12, 0.53), "United States Senate, public domain"),
    ("impostor_2", "impostor_2", (0.485, 0.10, 0.57), "Chris McAndrew, CC BY 3.0"),
)
"""Identity, file, head (centre x, top, height; shares of the picture's width and height), author and licence."""


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """One photograph of one person."""

    identity: str
    photo: str
    image: NDArray[np.uint8]
    """(H, W, 3) BGR uint8."""
    credit: str
    head: tuple[float, float, float]
    """Centre x, top and height (hair to chin), as shares of the picture's width and height."""

    def portrait(self) -> NDArray[np.uint8]:
        """The picture framed as an identity photograph: (H, 0.78 H, 3) BGR uint8; what `draw_card` expects."""
        height, width = self.image.shape[:2]
        x, top, head = self.head[0] * width, self.head[1] * height, self.head[2] * height
        tall = _ID_HEADS * head
        wide = _ID_ASPECT * tall
        pad = int(_BORDER * tall)
        padded = cv2.copyMakeBorder(self.image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        left, upper = round(x - wide / 2) + pad, max(0, round(top - _ID_ROOM * tall)) + pad
        return np.ascontiguousarray(padded[upper:upper + round(tall), left:left + round(wide)], dtype=np.uint8)


def load_faces() -> tuple[FacePhoto, ...]:
    """Seven photographs of five persons, in a fixed order. Raises `Misconfigured` where `make weights` was not run."""
    from skimage.data import astronaut

    picture = astronaut()  # type: ignore[no-untyped-call]
    photos = [FacePhoto("astronaut", "astronaut", _bgr(picture), _ASTRONAUT_CREDIT, (0.44, 0.03, 0.34))]
    for identity, name, head, credit in _FILES:
        path = PORTRAITS / f"{name}.jpg"
        image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
        if image is None:
            raise Misconfigured(f"the portrait {name}.jpg of the specimens is missing: run `make weights`")
        photos.append(FacePhoto(identity, name, np.asarray(image, dtype=np.uint8), credit, head))
    return tuple(photos)


def _bgr(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rgb[:, :, ::-1])
