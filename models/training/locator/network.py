"""The locator's network: dense convolutions to 1/32, a global term, an additive way back up to 1/4, seven maps.

Maps at a quarter of the input, all logits: 0 documents' areas, also where something hides them; 1 their outlines; 2 all
their corners; 3-6 the main document's four corners, clockwise from any of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MAPS = 7
CORNERS = slice(3, 7)
_WIDTHS = (16, 24, 40, 64, 80)
_LATERAL = 32


class _Unit(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, entering: int, leaving: int, stride: int = 1, dilation: int = 1) -> None:
        convolution = nn.Conv2d(entering, leaving, 3, stride, dilation, dilation, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(leaving), nn.ReLU(inplace=True))


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _Unit(width, width, 1, dilation), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class Locator(nn.Module):
    """(N, 3, 192, 256) BGR, about zero mean and unit spread -> (N, 7, 48, 64) logits."""

    def __init__(self) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = _WIDTHS
        self.stem = _Unit(3, w1, 2)
        self.quarter = nn.Sequential(_Unit(w1, w2, 2), _Unit(w2, w2))
        self.eighth = nn.Sequential(_Unit(w2, w3, 2), _Residual(w3))
        self.sixteenth = nn.Sequential(_Unit(w3, w4, 2), _Residual(w4))
        self.last = nn.Sequential(_Unit(w4, w5, 2), _Unit(w5, w5))
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(w5, w5, 1), nn.ReLU(inplace=True))
        self.lateral = nn.ModuleList(nn.Conv2d(width, _LATERAL, 1, bias=False) for width in (w2, w3, w4, w5))
        self.join = nn.ModuleList(_Unit(_LATERAL, _LATERAL) for _ in range(2))
        self.head = nn.Sequential(_Unit(_LATERAL, _LATERAL), nn.Conv2d(_LATERAL, MAPS, 1))

    def forward(self, x: Tensor) -> Tensor:
        quarter = self.quarter(self.stem(x))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        last = self.last(sixteenth)
        up = self.lateral[3](last + self.whole(last))
        for level, side in ((2, sixteenth), (1, eighth)):
            up = self.join[level - 1](_doubled(up) + self.lateral[level](side))
        return self.head(_doubled(up) + self.lateral[0](quarter))


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Deployed(nn.Module):
    """What is exported: uint8 (N, 192, 256, 3) BGR in, probabilities of the areas, outlines and corners out.

    Outputs: areas (N, 3, 48, 64), sigmoid of maps 0-2; corners (N, 4, 48, 64), soft maximum over each map.
    """

    def __init__(self, locator: Locator) -> None:
        super().__init__()
        self.locator = locator

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.locator(prepare(pictures))
        flat = maps[:, CORNERS].flatten(2)
        return torch.sigmoid(maps[:, :3]), torch.softmax(flat, 2).view_as(maps[:, CORNERS])


def prepare(pictures: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float, each picture with zero mean and its own spread taken out."""
    x = pictures.permute(0, 3, 1, 2).float()
    mean = x.mean((1, 2, 3), keepdim=True)
    spread = (x - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    return (x - mean) / (spread + 8.0)
