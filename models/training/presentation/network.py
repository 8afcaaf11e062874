"""The presentation network: spectra of the patches and a small tower over the whole, and a head over both.

Dots of print and a screen's grid are faint beside letters, and where they lie says nothing: so a patch is seen as how strong each
of its frequencies is, in light and in two differences of colour, and a layer or two weigh that.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pipeline.networks.presentation import COLUMNS, KINDS, ROWS, TILE, WHOLE_WIDTH

_BLOCK = 8
_WHOLE = (16, 24, 40, 40, 24)
_CELLS = (4, 6)
"""Of the whole's last map: where something is matters (corners, edges), but not exactly."""
_PATCH, _SEEN, _HIDDEN = 64, 48, 40
FEATURES = 3 * (3 * (_BLOCK**2 - 1)) + 6
"""Of a patch: 63 frequencies of 3 planes, as mean strength, as usual strength, and once more of the blocks' means; 6 levels."""


class _Unit(nn.Sequential):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, entering: int, leaving: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(leaving), nn.ReLU(inplace=True))


def _cosines() -> Tensor:
    """(63, 1, 8, 8): the cosine transform of a block, without its mean."""
    place = torch.arange(_BLOCK)
    rows = torch.cos(math.pi * (2 * place[None] + 1) * place[:, None] / (2 * _BLOCK)) * math.sqrt(2 / _BLOCK)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ua,vb->uvab", rows, rows).reshape(_BLOCK**2, 1, _BLOCK, _BLOCK)[1:]


class Spectrum(nn.Module):
    """(M, 3, TILE, TILE) BGR, about -1..1 -> (M, FEATURES): logarithms of strengths in grey levels, and levels. Nothing is
    learnt.

    The mean strength of a frequency tells how much there is, its usual strength (the mean of logarithms) whether it is
    everywhere, as dots are and letters are not. Of the blocks' means the same transform tells the slow waves of moire.
    """

    def __init__(self) -> None:
        super().__init__()
        light = torch.tensor([0.114, 0.587, 0.299])
        blue, red = torch.tensor([1.0, 0, 0]) - light, torch.tensor([0, 0, 1.0]) - light
        self.register_buffer("planes", 127.5 * torch.stack([light, blue, red])[:, :, None, None])
        self.register_buffer("cosines", _cosines().repeat(3, 1, 1, 1))

    def forward(self, tiles: Tensor) -> Tensor:
        planes = nn.functional.conv2d(tiles, self.planes)
        strength = nn.functional.conv2d(planes, self.cosines, stride=_BLOCK, groups=3).abs()
        means = nn.functional.avg_pool2d(planes, _BLOCK)
        slow = nn.functional.conv2d(means, self.cosines, groups=3).abs().flatten(1)
        levels = torch.cat((tiles.mean((2, 3)), tiles.square().mean((2, 3))), 1)
        mean, usual = (strength.mean((2, 3)) + 1).log(), (strength + 1).log().mean((2, 3))
        return torch.cat((mean, usual, (slow + 1).log(), levels), 1)


class PresentationNet(nn.Module):
    """Logits of both (N, kinds), of each patch (N * patches, kinds), of the whole (N, kinds); from `spectra` and the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.spectrum = Spectrum()
        self.patch = nn.Sequential(nn.BatchNorm1d(FEATURES, affine=False), nn.Linear(FEATURES, _PATCH), nn.BatchNorm1d(_PATCH),
                                   nn.ReLU(inplace=True), nn.Dropout(0.25), nn.Linear(_PATCH, _SEEN), nn.ReLU(inplace=True))
        w1, w2, w3, w4, w5 = _WHOLE
        self.whole = nn.Sequential(_Unit(3, w1, 2), _Unit(w1, w2, 2), _Unit(w2, w3, 2), _Unit(w3, w3), _Unit(w3, w4, 2),
                                   _Unit(w4, w5), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.4),
                                   nn.Linear(w5 * _CELLS[0] * _CELLS[1], _HIDDEN), nn.ReLU(inplace=True))
        self.from_patch, self.from_whole = nn.Linear(_SEEN, len(KINDS)), nn.Linear(_HIDDEN, len(KINDS))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * _SEEN + _HIDDEN, _HIDDEN), nn.ReLU(inplace=True),
                                  nn.Linear(_HIDDEN, len(KINDS)))

    def spectra(self, x: Tensor) -> Tensor:
        """(N, 3, HEIGHT, WIDTH), about -1..1 -> (N, patches, FEATURES)."""
        tiles = x[:, :, :, WHOLE_WIDTH:].unflatten(2, (ROWS, TILE)).unflatten(4, (COLUMNS, TILE))
        features: Tensor = self.spectrum(tiles.permute(0, 2, 4, 1, 3, 5).flatten(0, 2))
        return features.unflatten(0, (-1, ROWS * COLUMNS))

    def forward(self, spectra: Tensor, whole: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each = self.patch(spectra.flatten(0, 1))
        grouped = each.unflatten(0, (-1, ROWS * COLUMNS))
        around = self.whole(whole)
        both = torch.cat((grouped.mean(1), grouped.amax(1), around), 1)
        return self.head(both), self.from_patch(each), self.from_whole(around)


def prepare(pictures: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float, about -1..1. Levels are kept: white paper and a screen's black are signs."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


class Deployed(nn.Module):
    """What is exported: uint8 (N, HEIGHT, WIDTH, 3) BGR in; shares (N, kinds) that sum to 1 out.

    temperature: divides the logits, so that a share is how often the network is right on its own drawings.
    """

    def __init__(self, net: PresentationNet, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, pictures: Tensor) -> Tensor:
        x = prepare(pictures)
        return torch.softmax(self.net(self.net.spectra(x), x[:, :, :, :WHOLE_WIDTH])[0] / self.temperature, 1)
