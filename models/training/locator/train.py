"""Training on the cached scenes: losses, augmentation, schedule, and a check on scenes never trained on."""

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
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.training.locator.cache import SceneCache
from models.training.locator.config import MAP_HEIGHT, MAP_WIDTH, STRIDE, Config
from models.training.locator.network import CORNERS, Locator, prepare
from pipeline.stages.geometry import is_convex, quad_iou

_COARSE = (192, 128)
"""Width and height of the first part of the training: multiples of 32."""
_SPREAD = 1.0
"""Sigma, in map cells, of a corner's target."""


class Batch:
    """Tensors of one batch; see `SceneCache` for the shapes.  coarse: at half the pixels, for the first part of the
    training, where places matter less and steps should be cheap."""

    def __init__(self, cache: SceneCache, chosen: NDArray[np.intp], *, coarse: bool = False) -> None:
        chosen = np.sort(chosen)
        self.pictures = torch.from_numpy(np.ascontiguousarray(cache.pictures[chosen]))
        self.quads = torch.from_numpy(np.ascontiguousarray(cache.quads[chosen]))
        self.single = torch.from_numpy(np.ascontiguousarray(cache.single[chosen]))
        self.masks = torch.from_numpy(np.ascontiguousarray(cache.masks[chosen])).float() / 255
        if coarse:
            small = [cv2.resize(p, _COARSE, interpolation=cv2.INTER_AREA) for p in self.pictures.numpy()]
            self.pictures = torch.from_numpy(np.stack(small))
            self.masks = functional.interpolate(self.masks, (_COARSE[1] // STRIDE, _COARSE[0] // STRIDE), mode="area")

    def augment(self, rng: np.random.Generator) -> None:
        """Mirrors, colour channels in another order, another light: for the whole batch or each picture."""
        if rng.random() < 0.5:
            self.pictures, self.masks = self.pictures.flip(2), self.masks.flip(3)
            self.quads[..., 0] = 1 - self.quads[..., 0]
            self.quads = self.quads.flip(2)  # stays clockwise
        if rng.random() < 0.5:
            self.pictures, self.masks = self.pictures.flip(1), self.masks.flip(2)
            self.quads[..., 1] = 1 - self.quads[..., 1]
            self.quads = self.quads.flip(2)
        if rng.random() < 0.5:
            self.pictures = self.pictures[..., torch.from_numpy(rng.permutation(3))]
        count = len(self.pictures)
        gain = torch.from_numpy(rng.uniform(0.7, 1.3, (count, 1, 1, 1))).float()
        lift = torch.from_numpy(rng.uniform(-25, 25, (count, 1, 1, 1))).float()
        lit = self.pictures.float() * gain + lift
        if rng.random() < 0.2:
            lit = lit.mean(3, keepdim=True).expand_as(lit)
        self.pictures = lit.clamp(0, 255).to(torch.uint8)


def _cells(points: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Shares of the frame -> map cells, centres at whole numbers."""
    return points[..., 0] * width - 0.5, points[..., 1] * height - 0.5


def _bumps(points: Tensor, width: int, height: int) -> Tensor:
    """Gaussian bumps (…, height, width) at points (…, 2); NaN points give zeros."""
    x, y = _cells(points, width, height)
    columns, rows = torch.arange(width).float(), torch.arange(height).float()
    across = torch.exp(-(((columns - x[..., None]) / _SPREAD) ** 2) / 2)
    down = torch.exp(-(((rows - y[..., None]) / _SPREAD) ** 2) / 2)
    return torch.nan_to_num(down[..., :, None] * across[..., None, :])


def losses(maps: Tensor, batch: Batch) -> Tensor:
    """Area: cross-entropy and Dice.  Outline, all corners: weighted cross-entropy.  Main corners: cross-entropy of a soft
    maximum, and distance of its mean, for the best of the four cyclic orders."""
    area, outline = batch.masks[:, 0], batch.masks[:, 1]
    logits = maps[:, 0]
    share = torch.sigmoid(logits)
    overlap = (share * area).sum((1, 2))
    dice = 1 - (2 * overlap + 20) / (share.sum((1, 2)) + area.sum((1, 2)) + 20)
    total = functional.binary_cross_entropy_with_logits(logits, area) + dice.mean()
    total = total + functional.binary_cross_entropy_with_logits(maps[:, 1], outline, pos_weight=torch.tensor(3.0))
    every = _bumps(batch.quads.flatten(1, 2), maps.shape[3], maps.shape[2]).amax(1)
    total = total + functional.binary_cross_entropy_with_logits(maps[:, 2], every, pos_weight=torch.tensor(8.0))
    if not bool(batch.single.any()):
        return total
    return total + _corner_loss(maps[batch.single][:, CORNERS], batch.quads[batch.single][:, 0])


def _corner_loss(maps: Tensor, quads: Tensor) -> Tensor:
    flat = maps.flatten(2)
    log = functional.log_softmax(flat, 2)
    chance = log.exp().view_as(maps)
    height, width = maps.shape[2:]
    columns, rows = torch.arange(width).float(), torch.arange(height).float()
    mean_x, mean_y = (chance.sum(2) * columns).sum(2), (chance.sum(3) * rows).sum(2)
    target = _bumps(quads, width, height).flatten(2)
    target = target / target.sum(2, keepdim=True).clamp_min(1e-6)
    costs = []
    for shift in range(4):
        wanted = target.roll(shift, 1)
        x, y = _cells(quads.roll(shift, 1), width, height)
        cross = -(wanted * log).sum(2).mean(1)
        distance = ((mean_x - x).abs() + (mean_y - y).abs()).mean(1)
        costs.append(0.25 * cross + 0.08 * distance)
    return torch.stack(costs, 1).amin(1).mean()


def check(model: Locator, cache: SceneCache, count: int) -> dict[str, float]:
    """IoU of the raw corners, and of the areas, on the first `count` scenes of a cache."""
    model.eval()
    ious, areas = [], []
    with torch.inference_mode():
        for start in range(0, count, 50):
            batch = Batch(cache, np.arange(start, min(start + 50, count)))
            maps = model(prepare(batch.pictures)).float()
            seen, truth = maps[:, 0] > 0, batch.masks[:, 0] > 0.5
            union = (seen | truth).sum((1, 2)).clamp_min(1)
            areas += ((seen & truth).sum((1, 2)) / union).tolist()
            for corner_maps, quad, single in zip(maps[:, CORNERS], batch.quads[:, 0], batch.single, strict=True):
                if bool(single):
                    ious.append(_raw_iou(corner_maps, quad))
    model.train()
    table = np.array(ious)
    return {"corner_iou": float(table.mean()), "corner_iou_90": float((table >= 0.9).mean()),
            "corner_iou_50": float((table >= 0.5).mean()), "area_iou": float(np.mean(areas))}


def _raw_iou(maps: Tensor, quad: Tensor) -> float:
    place = maps.flatten(1).argmax(1).numpy()
    found = np.stack([(place % MAP_WIDTH + 0.5) / MAP_WIDTH, (place // MAP_WIDTH + 0.5) / MAP_HEIGHT], 1)
    return quad_iou(found, quad.double().numpy()) if is_convex(found) else 0.0


def train(folder: Path, config: Config) -> Locator:
    """Trains on the cache `folder`/train and checks on `folder`/check; the same seed gives the same weights on one kind
    of machine. Returns the running mean of the weights."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(config.seed)
    cache, unseen = SceneCache(folder / "train", config.scenes), SceneCache(folder / "check", config.checked)
    model: Locator = Locator().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    averaged: AveragedModel = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.averaged), use_buffers=True)
    started, mean = time.monotonic(), 0.0
    for step in range(config.steps):
        done = step / config.steps
        for group in optimiser.param_groups:
            group["lr"] = config.peak_lr * min((step + 1) / config.warmup, 0.5 + 0.5 * math.cos(math.pi * done))
        batch = Batch(cache, rng.choice(config.scenes, config.batch, replace=False), coarse=done < config.coarse)
        batch.augment(rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            maps = model(prepare(batch.pictures).contiguous(memory_format=torch.channels_last))
        loss = losses(maps.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        averaged.update_parameters(model)
        mean += (float(loss.detach()) - mean) / min(step + 1, 100)
        if step % 200 == 0:
            print(f"step {step}: loss {mean:.4f}, {time.monotonic() - started:.0f} s", flush=True)
        if step % 1000 == 999 or step + 1 == config.steps:
            print({name: round(value, 4) for name, value in check(averaged.module, unseen, config.checked).items()}, flush=True)
            torch.save(averaged.module.state_dict(), folder / "locator.pt")
    trained: Locator = averaged.module
    trained.eval()
    return trained
