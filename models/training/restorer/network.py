"""The code restorer: sixteenths of the picture as channels, ten layers that see some 40 pixels far, and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDE = 4
WIDTH, BLOCKS = 64, 5


class Block(nn.Module):
    """Two convolutions beside which the input goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(nn.functional.relu(self.first(x)))


class Restorer(nn.Module):
    """(N, 1, H, W) float, H and W multiples of 4, to logits of light, (N, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(STRIDE**2, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.leave = nn.Conv2d(WIDTH, STRIDE**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.blocks(nn.functional.relu(self.enter(nn.functional.pixel_unshuffle(x, STRIDE))))
        return nn.functional.pixel_shuffle(self.leave(nn.functional.relu(inner)), STRIDE)


def prepare(pictures: Tensor) -> Tensor:
    """(N, H, W) uint8 -> (N, 1, H, W) float, each picture with zero mean and its own spread taken out."""
    x = pictures.unsqueeze(1).float()
    mean = x.mean((1, 2, 3), keepdim=True)
    spread = (x - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    return (x - mean) / (spread + 8.0)


class Deployed(nn.Module):
    """What is exported: uint8 (N, H, W) in, uint8 (N, H, W) out, dark modules near 0 and paper near 255."""

    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        self.restorer = restorer

    def forward(self, pictures: Tensor) -> Tensor:
        return (torch.sigmoid(self.restorer(prepare(pictures))).squeeze(1) * 255).to(torch.uint8)
