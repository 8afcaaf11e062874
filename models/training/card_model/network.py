"""The classifier: five halvings, then the whole map at once, since what tells the models apart is where things stand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.networks.card_model import KINDS

_WIDTHS = (16, 24, 40, 56, 48)
_LAST = 32
_HIDDEN = 64
_ROWS, _COLUMNS = 5, 7
"""Of the last map, for an input of 135 x 214."""


class _Unit(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, entering: int, leaving: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(leaving), nn.ReLU(inplace=True))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_Unit(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class CardClassifier(nn.Module):
    """(N, 3, 135, 214) BGR, about zero mean and unit spread -> (N, kinds) logits, (N,) logit of upright."""

    def __init__(self) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = _WIDTHS
        self.maps = nn.Sequential(
            _Unit(3, w1, 2), _Unit(w1, w2, 2), _Unit(w2, w3, 2), _Residual(w3), _Unit(w3, w4, 2), _Residual(w4),
            _Unit(w4, w5, 2), _Unit(w5, _LAST))
        whole = nn.Linear(_LAST * _ROWS * _COLUMNS, _HIDDEN)
        self.hidden = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), whole, nn.ReLU(inplace=True))
        self.head = nn.Linear(_HIDDEN, len(KINDS) + 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.head(self.hidden(self.maps(x)))
        return logits[:, :-1], logits[:, -1]


class Deployed(nn.Module):
    """What is exported: uint8 (N, 135, 214, 3) BGR in; shares (N, kinds), that sum to 1, and upright (N,), 0..1, out.

    temperature: divides the logits of the kinds, so that a share is how often the network is right.
    """

    def __init__(self, classifier: CardClassifier, temperature: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.temperature = temperature

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        kinds, upright = self.classifier(prepare(pictures))
        return torch.softmax(kinds / self.temperature, 1), torch.sigmoid(upright / self.temperature)


def prepare(pictures: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float, each picture with zero mean and its own spread taken out."""
    x = pictures.permute(0, 3, 1, 2).float()
    mean = x.mean((1, 2, 3), keepdim=True)
    spread = (x - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
    return (x - mean) / (spread + 8.0)
