"""Makes a blurred or shaken code black and white again, so that the reader decodes it: a network trained on drawn codes."""

from __future__ import annotations

import numpy as np

from pipeline.networks.api import Image, Net, Networks

MULTIPLE = 4
"""Height and width that the network takes are multiples of this."""


def restore(grey: Image, networks: Networks) -> Image:
    """(H, W) grey uint8 cut from a rectified card (20 px a mm) -> the same place, dark modules near 0, paper near 255.

    What is no code comes out as noise of black and white: the reader's error correction tells.
    """
    height, width = grey.shape
    padded = np.pad(grey, ((0, -height % MULTIPLE), (0, -width % MULTIPLE)), mode="edge")
    (restored,) = networks.run(Net.CODE_RESTORER, padded[None])
    return np.ascontiguousarray(restored[0, :height, :width])
