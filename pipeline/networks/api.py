"""The seam between the stages and whatever runs the networks (this process, or a GPU server)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Image = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) BGR


class Net(StrEnum):
    """The networks of the default plan, by their names in models/manifest.toml."""

    LOCATOR = "locator"
    CARD_MODEL = "card_model"
    CODE_RESTORER = "code_restorer"
    FACE_DETECTOR = "face_detector"
    FACE_RECOGNISER = "face_recogniser"
    MRZ_READER = "mrz_reader"
    FIELD_READER = "field_reader"
    PPOCR_READER = "ppocr_reader"
    PPOCR_DETECTOR = "ppocr_detector"
    PRESENTATION = "presentation"


class Networks(Protocol):
    """Runs a network by name. Thread-safe; a call is one batch."""

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        """`batch` is (N, …) in the shape and dtype that the manifest gives the network; outputs are (N, …) each.

        Raises `Misconfigured` for a network that this plan does not hold.
        """
        ...

    def digests(self) -> dict[str, str]:
        """SHA-256 of each network's file, by name: part of every result."""
        ...
