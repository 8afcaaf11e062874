"""Training on the cached mosaics: variation, loss, schedule, and the temperature on cards never trained on."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.training.onnx_file import write_onnx
from models.training.presentation.cache import Mosaics
from models.training.presentation.config import Config
from models.training.presentation.network import Deployed, PresentationNet, prepare
from pipeline.networks.presentation import COLUMNS, HEIGHT, KINDS, ROWS, WHOLE_WIDTH, WIDTH

_SMOOTHING = 0.05
_ONE_TOWER = 0.3
"""Weight of the loss of each patch, and of the whole, by itself: neither tower may lean on the other."""
_HIDDEN, _DISTURBED = 0.15, 0.2
"""How often a patch is hidden, as by a finger or a glare; how much logarithms of strengths are disturbed."""
_TEMPERATURES = np.geomspace(0.5, 3.0, 60)


class Shots:
    """A cache with the spectra of all its patches, worked out once."""

    def __init__(self, mosaics: Mosaics, model: PresentationNet) -> None:
        self.mosaics = torch.from_numpy(mosaics.mosaics)
        self.kinds = torch.from_numpy(mosaics.kinds)
        with torch.inference_mode():
            self.spectra = torch.cat([model.spectra(prepare(part)) for part in self.mosaics.split(64)]).clone()

    def whole(self, chosen: Tensor) -> Tensor:
        return prepare(self.mosaics[chosen][:, :, :WHOLE_WIDTH])


def varied(spectra: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """A batch under other lights, mirrored; some patches hidden, so that others stand in for them; spectra disturbed."""
    n = len(whole)
    gain = (1 + 0.07 * torch.randn(n, 3, 1, 1)) * (1 + 0.12 * torch.randn(n, 1, 1, 1)).clamp(0.6, 1.4)
    whole = (whole * gain + (gain - 1)).clamp(-1, 1)
    whole = torch.flip(whole, [axis for axis in (2, 3) if torch.rand(()) < 0.5])
    order = torch.arange(ROWS * COLUMNS).repeat(n, 1)
    hidden = torch.rand(order.shape) < _HIDDEN
    order[hidden] = torch.randint(ROWS * COLUMNS, (int(hidden.sum()),))
    spectra = torch.take_along_dim(spectra, order[..., None], 1)
    return spectra + _DISTURBED * (torch.randn(n, 1, spectra.shape[2]) + torch.randn(n, 1, 1)), whole


def loss_of(logits: tuple[Tensor, Tensor, Tensor], kind: Tensor) -> Tensor:
    kinds = (kind, kind.repeat_interleave(ROWS * COLUMNS), kind)
    both, patches, whole = (functional.cross_entropy(one.float(), truth, label_smoothing=_SMOOTHING)
                            for one, truth in zip(logits, kinds, strict=True))
    return both + _ONE_TOWER * (patches + whole)


def predict(model: PresentationNet, shots: Shots) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (N, kinds) of both, of the patches' mean, of the whole."""
    model.eval()
    with torch.inference_mode():
        parts = [model(shots.spectra[part], shots.whole(part)) for part in torch.arange(len(shots.kinds)).split(64)]
    model.train()
    both, each, whole = (torch.cat(column) for column in zip(*parts, strict=True))
    return both, each.log_softmax(1).unflatten(0, (-1, ROWS * COLUMNS)).mean(1), whole


def told(model: PresentationNet, shots: Shots) -> str:
    """Shares of right answers: of both, each, and by kind."""
    right = [(one.argmax(1) == shots.kinds).float() for one in predict(model, shots)]
    kinds = ", ".join(f"{name} {float(right[0][shots.kinds == place].mean()):.3f}" for place, name in enumerate(KINDS))
    return f"right {right[0].mean():.4f} (patches {right[1].mean():.4f}, whole {right[2].mean():.4f}): {kinds}"


def temperature_of(logits: Tensor, kind: Tensor) -> float:
    """The temperature of least cross-entropy."""
    losses = [float(functional.cross_entropy(logits / value, kind)) for value in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def train(folder: Path, config: Config) -> tuple[PresentationNet, float]:
    """Trains on the cache `folder`/train; the running mean of the weights, and its temperature on `folder`/check. Deterministic
    on one machine."""
    torch.manual_seed(config.seed)
    torch.set_num_threads(1)
    model: PresentationNet = PresentationNet().to(memory_format=torch.channels_last)
    drawn = Shots(Mosaics(folder / f"train-{config.seed}", config.cards), model)
    check = Shots(Mosaics(folder / f"check-{config.check_seed}", config.checked), model)
    averaged: AveragedModel = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.averaged), use_buffers=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    started, mean = time.monotonic(), 0.0
    for step in range(config.steps):
        for group in optimiser.param_groups:
            group["lr"] = config.peak_lr * min((step + 1) / config.warmup, 0.5 + 0.5 * math.cos(math.pi * step / config.steps))
        chosen = torch.randperm(len(drawn.kinds))[:config.batch]
        spectra, whole = varied(drawn.spectra[chosen], drawn.whole(chosen))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(spectra, whole.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, drawn.kinds[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        averaged.update_parameters(model)
        mean += (float(loss.detach()) - mean) / min(step + 1, 100)
        if step % 200 == 199 or step + 1 == config.steps:
            said = told(averaged.module, check)
            print(f"step {step + 1}: loss {mean:.4f}, {said}, {time.monotonic() - started:.0f} s", flush=True)
            torch.save(averaged.module.state_dict(), folder / "presentation.pt")
    trained: PresentationNet = averaged.module
    temperature = temperature_of(predict(trained, check)[0], check.kinds)
    print(f"temperature {temperature:.3f}", flush=True)
    trained.eval()
    return trained, temperature


def export(trained: PresentationNet, temperature: float, path: Path) -> str:
    """One ONNX file; its SHA-256."""
    example = torch.zeros((1, HEIGHT, WIDTH, 3), dtype=torch.uint8)
    deployed = Deployed(trained.to(memory_format=torch.contiguous_format), temperature).eval()
    return write_onnx(deployed, example, "cards", ("kinds",), path)
