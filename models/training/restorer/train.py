"""Training on patches drawn as it goes: loss, schedule, and the share of pixels restored on patches never trained on."""

from __future__ import annotations

import math
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.training.restorer.config import Config
from models.training.restorer.network import Restorer, prepare
from models.training.restorer.patches import Rng, Sheet, draw_pair


def batch_of(rng: Rng, sheet: Sheet, count: int) -> tuple[Tensor, Tensor]:
    """(seen, printed), each (count, PATCH, PATCH): uint8, and float 0..1."""
    pairs = [draw_pair(rng, sheet) for _ in range(count)]
    seen, printed = (torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True))
    return seen, printed.float() / 255


def check(model: Restorer, seen: Tensor, printed: Tensor) -> float:
    """Share of pixels on the right side of the middle."""
    model.eval()
    with torch.inference_mode():
        light = torch.cat([model(prepare(part)).squeeze(1) > 0 for part in seen.split(64)])
    model.train()
    return float((light == (printed > 0.5)).float().mean())


def train(folder: Path, config: Config) -> Restorer:
    """Trains, and gives the running mean of the weights; the same seed gives the same weights on one kind of machine."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rng, unseen = np.random.default_rng(config.seed), np.random.default_rng(config.check_seed)
    sheet = Sheet(rng, config.codes)
    checked = batch_of(unseen, Sheet(unseen, 40), config.checked)
    model: Restorer = Restorer().to(memory_format=torch.channels_last)
    averaged: AveragedModel = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.averaged))
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    started, mean = time.monotonic(), 0.0
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.peak_lr * min((step + 1) / config.warmup, 0.5 + 0.5 * math.cos(math.pi * step / config.steps))
        seen, printed = batch_of(rng, sheet, config.batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            light = model(prepare(seen).contiguous(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(light.float().squeeze(1), printed)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        averaged.update_parameters(model)
        mean += (float(loss.detach()) - mean) / min(step + 1, 100)
        if step % 200 == 199 or step + 1 == config.steps:
            share = check(averaged.module, *checked)
            print(f"step {step + 1}: loss {mean:.4f}, pixels right {share:.4f}, {time.monotonic() - started:.0f} s", flush=True)
            torch.save(averaged.module.state_dict(), folder / "restorer.pt")
    trained: Restorer = averaged.module
    trained.eval()
    return trained
