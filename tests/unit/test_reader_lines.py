"""Lines to train readers on: drawn by processes beside the training, in an order that is the same each time."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from itertools import islice

import numpy as np

from models.training.readers.lines import batches, batches_of_many, mrz_sample
from pipeline.networks.line_reader import MRZ


def test_processes_are_asked_in_turn_and_ended() -> None:
    """What two of them draw is what one draws from each one's seed; none is left when the generator is closed."""
    with closing(batches_of_many(mrz_sample, MRZ.widths[:1], 4, 7, 2)) as drawn:
        found = list(islice(drawn, 4))
        assert len(multiprocessing.active_children()) >= 2
        workers = {process.pid for process in multiprocessing.active_children()}
    assert not workers & {process.pid for process in multiprocessing.active_children()}
    alone = [list(islice(batches(mrz_sample, MRZ.widths[:1], 4, seed), 2)) for seed in (7, 1007)]
    for (images, texts), (expected, said) in zip(found, (alone[0][0], alone[1][0], alone[0][1], alone[1][1]), strict=True):
        assert texts == said
        assert np.array_equal(images, expected)
