"""Before and after the presentation network: a mosaic of the card in, how much it looks like each kind out."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.networks.api import Image, Net, Networks

KINDS = ("card", "grey_copy", "colour_copy", "screen")
"""In the order of the output."""
TILE = 64
"""Side of a patch in view pixels: dots of print and the grid of a screen have periods of 1.5 to 8 of them."""
COLUMNS, ROWS = 4, 2
"""Patches, spread over the card."""
WHOLE_WIDTH, WHOLE_HEIGHT = 192, 128
WIDTH, HEIGHT = WHOLE_WIDTH + COLUMNS * TILE, ROWS * TILE
"""The network's input: the whole on the left, the patches beside it."""


def look_at_presentation(mosaic: Image, networks: Networks) -> Mapping[str, float]:
    """Probability of each of `KINDS`; they sum to 1.  mosaic: (HEIGHT, WIDTH, 3) BGR uint8 (`pipeline.stages.mosaic`)."""
    (shares,) = networks.run(Net.PRESENTATION, mosaic[None])
    return {kind: float(share) for kind, share in zip(KINDS, shares[0], strict=True)}
