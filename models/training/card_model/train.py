"""Training on the cached sides, each photographed anew: loss, schedule, and the temperature on sides never trained on."""

from __future__ import annotations

import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.training.card_model.cache import FlatCache
from models.training.card_model.config import Config
from models.training.card_model.network import CardClassifier, prepare
from models.training.card_model.photograph import Camera
from pipeline.networks.card_model import HEIGHT, KINDS, WIDTH

NOT_A_CARD = next(index for index, kind in enumerate(KINDS) if kind.name == "not_a_card")
_IS_SIDE = torch.tensor([kind.side is not None for kind in KINDS])
_SMOOTHING = 0.02
_TEMPERATURES = np.geomspace(0.5, 3.0, 60)


class Shots:
    """Batches of photographed sides: pictures (N, 135, 214, 3) u8, kinds (N,), upright (N,) float."""

    def __init__(self, cache: FlatCache, rng: np.random.Generator) -> None:
        self.cache = cache
        self.rng = rng
        surfaces = np.flatnonzero(cache.kinds == NOT_A_CARD)[:200]
        self.camera = Camera(rng, np.ascontiguousarray(cache.flats[surfaces]))

    def batch(self, chosen: NDArray[np.intp]) -> tuple[Tensor, Tensor, Tensor]:
        turned = self.rng.random(len(chosen)) < 0.5
        pictures = np.empty((len(chosen), HEIGHT, WIDTH, 3), np.uint8)
        for place, (index, half_turn) in enumerate(zip(chosen, turned, strict=True)):
            pictures[place] = self.camera.photograph(self.cache.flats[index], half_turn=bool(half_turn))
        return torch.from_numpy(pictures), torch.from_numpy(self.cache.kinds[chosen]), torch.from_numpy(~turned).float()


def loss_of(kinds: Tensor, upright: Tensor, kind: Tensor, is_upright: Tensor) -> Tensor:
    """Cross-entropy of the kind; of the direction too where there is one."""
    total = functional.cross_entropy(kinds, kind, label_smoothing=_SMOOTHING)
    sides = _IS_SIDE[kind]
    if bool(sides.any()):
        total = total + functional.binary_cross_entropy_with_logits(upright[sides], is_upright[sides])
    return total


def predict(model: CardClassifier, shots: Shots, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits of kinds and upright, true kinds and upright of the first `count` sides of a cache, one shot each."""
    model.eval()
    seen = []
    with torch.inference_mode():
        for start in range(0, count, 64):
            pictures, kind, is_upright = shots.batch(np.arange(start, min(start + 64, count)))
            kinds, upright = model(prepare(pictures))
            seen.append((kinds, upright, kind, is_upright))
    model.train()
    return tuple(torch.cat(column) for column in zip(*seen, strict=True))


def temperature_of(kinds: Tensor, kind: Tensor) -> float:
    """The temperature of least cross-entropy."""
    losses = [float(functional.cross_entropy(kinds / value, kind)) for value in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def train(folder: Path, config: Config) -> tuple[CardClassifier, float]:
    """Trains on the cache `folder`/train; the network and its temperature on `folder`/check. Deterministic on one machine."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(config.seed)
    shots = Shots(FlatCache(folder / "train"), rng)
    model: CardClassifier = CardClassifier().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    started, mean = time.monotonic(), 0.0
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.peak_lr * min((step + 1) / config.warmup, 0.5 + 0.5 * math.cos(math.pi * step / config.steps))
        pictures, kind, is_upright = shots.batch(rng.choice(config.sides, config.batch, replace=False))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kinds, upright = model(prepare(pictures).contiguous(memory_format=torch.channels_last))
        loss = loss_of(kinds.float(), upright.float(), kind, is_upright)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        mean += (float(loss.detach()) - mean) / min(step + 1, 100)
        if step % 100 == 0:
            print(f"step {step}: loss {mean:.4f}, {time.monotonic() - started:.0f} s", flush=True)
    unseen = Shots(FlatCache(folder / "check"), np.random.default_rng(config.check_seed))
    kinds, upright, kind, is_upright = predict(model, unseen, config.checked)
    sides = _IS_SIDE[kind]
    temperature = temperature_of(kinds, kind)
    right, way = (kinds.argmax(1) == kind).float().mean(), ((upright > 0).float() == is_upright)[sides].float().mean()
    print(f"check: kind {float(right):.4f}, direction {float(way):.4f}, temperature {temperature:.3f}", flush=True)
    model.eval()
    return model, temperature
