"""The training loop: lines drawn as they are needed, CTC loss, AdamW with warm-up and cosine, bf16 where the CPU has it."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import nn

from models.training.readers.lines import Sample, batches, batches_of_many
from models.training.readers.network import LineReader, normalise
from pipeline.networks.line_reader import ReaderShape

WARM_UP = 0.04
WEIGHT_DECAY = 0.01
CLIP = 2.0
EVERY = 200


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one training takes. The first half of the time runs small batches, the second half batches twice as large."""

    shape: ReaderShape
    sample: Sample
    widths: tuple[int, ...]
    minutes: float
    """Of processor time, so that a busy machine trains as well as an idle one; of the clock where `workers` draw."""
    seed: int
    channels: tuple[int, int, int, int, int]
    batch: int = 32
    peak: float = 3.5e-3
    start: Path | None = None
    """Weights of another reader to start from, as far as their shapes fit."""
    device: str = "cpu"
    """As PyTorch names it."""
    workers: int = 0
    """Processes that draw lines beside the training; 0: this one draws."""


def train(recipe: Recipe, checkpoint: Path) -> LineReader:
    """Trains for `recipe.minutes` and saves the weights now and then. Prints the loss."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = LineReader(recipe.shape.height, len(recipe.shape.alphabet) + 1, recipe.channels)
    network.to(recipe.device, memory_format=torch.channels_last)
    if recipe.start is not None:
        adopt(network, torch.load(recipe.start, map_location=recipe.device, weights_only=True))
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.peak, weight_decay=WEIGHT_DECAY)
    clock = time.monotonic if recipe.workers else time.process_time
    begin, seconds, step, seen, losses = clock(), recipe.minutes * 60, 0, 0, 0.0
    network.train()
    for size, until in ((recipe.batch, 0.5), (2 * recipe.batch, 1.0)):
        order = recipe.sample, recipe.widths, size, recipe.seed + size
        with closing(batches_of_many(*order, recipe.workers) if recipe.workers else batches(*order)) as drawn:
            for images, texts in drawn:
                done = (clock() - begin) / seconds
                if done >= until:
                    break
                for group in optimiser.param_groups:
                    group["lr"] = recipe.peak * rate(done)
                losses += one_step(network, optimiser, torch.from_numpy(images).to(recipe.device), texts, recipe.shape.alphabet)
                step, seen = step + 1, seen + len(texts)
                if step % EVERY == 0:
                    speed = seen / (clock() - begin)
                    print(f"{done:6.1%} step {step} lines {seen} loss {losses / EVERY:.3f} {speed:.0f}/s", flush=True)
                    losses = 0.0
                    torch.save(network.state_dict(), checkpoint)
    network.eval().cpu()
    torch.save(network.state_dict(), checkpoint)
    return network


def one_step(network: LineReader, optimiser: torch.optim.Optimizer, images: torch.Tensor, texts: list[str],
             alphabet: str) -> float:
    """One batch. Returns its loss per symbol."""
    targets = torch.tensor([alphabet.index(letter) + 1 for text in texts for letter in text], device=images.device)
    lengths = torch.tensor([len(text) for text in texts])
    x = normalise(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16):
        logits = network(x)
    log_probabilities = logits.float().permute(2, 0, 1).log_softmax(-1)
    columns = torch.full((len(texts),), log_probabilities.shape[0])
    loss = nn.functional.ctc_loss(log_probabilities, targets, columns, lengths, zero_infinity=True)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimiser.step()
    return float(loss.detach())


def rate(done: float) -> float:
    """Share of the peak rate after a share of the time: linear warm-up, then a cosine to one hundredth."""
    if done < WARM_UP:
        return max(done / WARM_UP, 0.02)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def adopt(network: LineReader, weights: dict[str, torch.Tensor]) -> None:
    """Takes over every tensor whose name and shape fit."""
    own = network.state_dict()
    own.update({name: tensor for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape})
    network.load_state_dict(own)
