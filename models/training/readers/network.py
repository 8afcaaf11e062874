"""The readers' shape in PyTorch: plain convolutions down to one row, residual depthwise blocks along the line, CTC head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (16, 24, 40, 64, 128)
"""Of the five convolutions."""
BLOCKS = 4
STD_FLOOR = 8.0
"""Grey levels added to a line's deviation, so that an empty line is not blown up into noise."""


class ConvBlock(nn.Module):
    """Convolution, BatchNorm, ReLU; the pair is folded into one convolution at export."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int],
                 padding: tuple[int, int], groups: int = 1, *, active: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return torch.relu(x) if self.active else x


class Residual(nn.Module):
    """x + pointwise(depthwise 1 x 7 (x)): context of the neighbouring symbols at little cost."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = ConvBlock(channels, channels, (1, 7), (1, 1), (0, 3), groups=channels)
        self.pointwise = ConvBlock(channels, channels, (1, 1), (1, 1), (0, 0), active=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.pointwise(self.depthwise(x)))


class LineReader(nn.Module):
    """(N, 1, H, W) normalised grey to (N, classes, W/4) logits. H is 32 or 48."""

    def __init__(self, height: int, classes: int, channels: tuple[int, int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d, wide = channels
        rows = height // 16
        self.trunk = nn.ModuleList([
            ConvBlock(1, a, (3, 3), (2, 2), (1, 1)),
            ConvBlock(a, b, (3, 3), (2, 2), (1, 1)),
            ConvBlock(b, c, (3, 3), (2, 1), (1, 1)),
            ConvBlock(c, d, (3, 3), (2, 1), (1, 1)),
            ConvBlock(d, wide, (rows, 3), (1, 1), (0, 1)),
        ])
        self.blocks = nn.ModuleList([Residual(wide) for _ in range(BLOCKS)])
        self.head = nn.Conv2d(wide, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.trunk:
            x = layer(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x).squeeze(2)


def normalise(lines: Tensor) -> Tensor:
    """(N, H, W) uint8 to (N, 1, H, W) float: each line to mean 0 and deviation about 1."""
    x = lines.float().unsqueeze(1)
    mean = x.mean(dim=(2, 3), keepdim=True)
    std = (x - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    return (x - mean) / (std + STD_FLOOR)
