"""Makes a blurred or shaken code black and white again, so that the reader decodes it: a network trained on drawn codes."""

from __future__ import annotations

import numpy as np

from pipeline.networks.api import Image, Net, Networks

MULTIPLE = 4
"""Height and width that the network takes are multiples of this."""
TILE, OVERLAP = 512, 40
"""A larger place is restored piece by piece, so that memory is bounded; what lies farther off than the overlap says little."""


def restore(grey: Image, networks: Networks) -> Image:
    """(H, W) grey uint8 cut from a rectified card (20 px a mm) -> the same place, dark modules near 0, paper near 255.

    What is no code comes out as noise of black and white: the reader's error correction tells.
    """
    step = TILE - 2 * OVERLAP
    restored = np.empty_like(grey)
    for y in range(0, grey.shape[0], step):
        for x in range(0, grey.shape[1], step):
            top, left = max(y - OVERLAP, 0), max(x - OVERLAP, 0)
            tile = _tile(grey[top:y + step + OVERLAP, left:x + step + OVERLAP], networks)
            restored[y:y + step, x:x + step] = tile[y - top:y - top + step, x - left:x - left + step]
    return restored


def _tile(grey: Image, networks: Networks) -> Image:
    height, width = grey.shape
    padded = np.pad(grey, ((0, -height % MULTIPLE), (0, -width % MULTIPLE)), mode="edge")
    (restored,) = networks.run(Net.CODE_RESTORER, padded[None])
    return np.asarray(restored[0, :height, :width], dtype=np.uint8)
