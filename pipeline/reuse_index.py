"""The index of fingerprints in memory: over all of them, by brute force. Holds no truth: it is rebuilt from what is sealed.

A support takes 4 hashes of 64 bytes, an embedding of 512, 24 bytes beside them and some 200 of Python's dictionary; rows are
added in blocks, so no more than one block is spare. One process of a deployment holds it; processes (of citizens) can be
put into indexes of their own, since a look-up within one process needs no other.
"""

from __future__ import annotations

import functools
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.domain.capture import Part
from pipeline.domain.evidence import Fingerprints
from pipeline.domain.reuse import Kind, Limits, Neighbour, kind_of

PARTS = tuple(Part)
WORDS, WORD_BITS = 8, 64
EMBEDDING, HEAD = 128, 80
"""Values of an embedding, and how many of them are compared of all: what the others may add then lifts one in a hundred over the
limit (125 public photographs, cosine 0.61)."""
ROUNDING = 1e-5
BLOCK = 1 << 15
"""Supports a block: one word of each of its hashes (256 KB) stays in a core's second cache while it is compared."""
DEVIATIONS = 4.0
"""How far the first words of two hashes may differ more than their share: what differs is drawn without order from 512 bits, so
that of pairs just within the limit one in some thousands is lost, and of nearer ones none."""
MOST = 256
"""Neighbours of one kind that a look-up gives, the newest: one picture came 96,000 times."""
FORGOTTEN, NO_PROCESS = -1, -2
Words = NDArray[np.uint64]


@dataclass(slots=True)
class Block:
    """BLOCK supports. hashes: (parts, words, rows), all zero where a part has none. heads: the first values of each embedding,
    (values, rows), which a matrix product reads a third faster than the other way round; tails: (rows, values); their lengths.
    """

    hashes: Words
    heads: NDArray[np.float32]
    tails: NDArray[np.float32]
    lengths: NDArray[np.float32]
    process: NDArray[np.int32]
    ids: Words
    used: int = 0

    @staticmethod
    def empty() -> Block:
        return Block(np.zeros((len(PARTS), WORDS, BLOCK), np.uint64), np.zeros((HEAD, BLOCK), np.float32),
                     np.zeros((BLOCK, EMBEDDING - HEAD), np.float32), np.zeros(BLOCK, np.float32),
                     np.full(BLOCK, FORGOTTEN, np.int32), np.zeros((BLOCK, 2), np.uint64))

    def may_be_told(self, rows: NDArray[np.int64], process: int | None, own: Words) -> NDArray[np.bool_]:
        """Which of the rows are of the process (None: of any), not forgotten, and not the asking support's."""
        of = self.process[rows]
        return np.asarray((of != FORGOTTEN) & ((of == process) if process is not None else True)
                          & (self.ids[rows] != own).any(axis=1))


Match = tuple[Block, NDArray[np.int64], frozenset[Kind]]


class ReuseIndex:
    """Not thread-safe: its owner lets one call in at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._blocks: list[Block] = []
        self._places: dict[bytes, list[int]] = {}
        self._processes: dict[str, int] = {}
        self._bits, self._counts = np.zeros(BLOCK, np.uint64), np.zeros(BLOCK, np.uint8)

    def __len__(self) -> int:
        return sum(len(places) for places in self._places.values())

    def add(self, support_id: str, process: str, prints: Fingerprints) -> None:
        """One set of captures of a support; a support may have several (its rounds)."""
        if not self._blocks or self._blocks[-1].used == BLOCK:
            self._blocks.append(Block.empty())
        block = self._blocks[-1]
        row = block.used
        for place, part in enumerate(PARTS):
            block.hashes[place, :, row] = _words(prints.perceptual.get(part, 0))
        face = np.zeros(EMBEDDING, np.float32) if prints.face is None else np.asarray(prints.face, np.float32)
        block.heads[:, row], block.tails[row], block.lengths[row] = face[:HEAD], face[HEAD:], np.linalg.norm(face[HEAD:])
        block.process[row] = self._processes.setdefault(process, len(self._processes))
        block.ids[row] = _identity(support_id)
        block.used += 1
        self._places.setdefault(uuid.UUID(support_id).bytes, []).append((len(self._blocks) - 1) * BLOCK + row)

    def forget(self, support_id: str) -> None:
        """Every set of the support, overwritten; nothing where it is not known."""
        for place in self._places.pop(uuid.UUID(support_id).bytes, ()):
            block, row = self._blocks[place // BLOCK], place % BLOCK
            block.hashes[:, :, row], block.heads[:, row], block.tails[row], block.lengths[row] = 0, 0.0, 0.0, 0.0
            block.process[row], block.ids[row] = FORGOTTEN, 0

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> frozenset[Neighbour]:
        """Other supports whose pictures, signature or face are alike (`domain.reuse.in_common` without digests and numbers).

        process: of which the neighbours must be; None: of any.
        """
        code = None if process is None else self._processes.get(process, NO_PROCESS)
        own = _identity(support_id)
        taken: dict[Kind, dict[str, None]] = {kind: {} for kind in Kind}
        for search in self._searches(prints):
            for block, rows, kinds in search:
                others = rows[block.may_be_told(rows, code, own)][::-1][:MOST]
                for identity in block.ids[others]:
                    for kind in kinds:
                        taken[kind][str(uuid.UUID(bytes=identity.tobytes()))] = None
                if all(len(taken[kind]) >= MOST for kind in kinds):
                    break
        return frozenset(Neighbour(one, kind) for kind, ids in taken.items() for one in ids)

    def _searches(self, prints: Fingerprints) -> Iterator[Iterator[Match]]:
        """One for each kind of print that is there; each gives the newest block first."""
        for place, part in enumerate(PARTS):
            if part in prints.perceptual:
                yield self._near(place, part, _words(prints.perceptual[part]))
        if prints.face is not None:
            yield self._resembling(np.asarray(prints.face, np.float32))

    def _near(self, place: int, part: Part, wanted: Words) -> Iterator[Match]:
        allowed, kinds = differing(self._limits.bits[part]), frozenset({kind_of(part)})
        for block in reversed(self._blocks):
            hashes, bits, counts = block.hashes[place], self._bits[: block.used], self._counts[: block.used]
            np.bitwise_count(np.bitwise_xor(hashes[0, : block.used], wanted[0], out=bits), out=counts)
            rows = np.flatnonzero(counts <= allowed[0])
            distances = counts[rows].astype(np.int64)
            for word in range(1, WORDS):  # of those left, the next word: after two hardly any are
                if not len(rows):
                    break
                distances += np.bitwise_count(hashes[word, rows] ^ wanted[word])
                near = distances <= allowed[word]
                rows, distances = rows[near], distances[near]
            if len(rows):
                yield block, rows[hashes[:, rows].any(axis=0)], kinds

    def _resembling(self, wanted: NDArray[np.float32]) -> Iterator[Match]:
        """Exact, though the tails are read of few: by Cauchy and Schwarz they add at most the product of their lengths."""
        head, tail = wanted[:HEAD], wanted[HEAD:]
        reach = float(np.linalg.norm(tail))
        for block in reversed(self._blocks):
            part = head @ block.heads[:, : block.used]
            rows = np.flatnonzero(part + reach * block.lengths[: block.used] >= self._limits.face - ROUNDING)
            likeness = part[rows] + block.tails[rows] @ tail
            rows, likeness = rows[likeness >= self._limits.face], likeness[likeness >= self._limits.face]
            if len(rows):
                one_picture = likeness >= self._limits.portrait
                yield block, rows[~one_picture], frozenset({Kind.FACE})
                yield block, rows[one_picture], frozenset({Kind.FACE, Kind.IMAGE})


@functools.cache
def differing(limit: int) -> tuple[int, ...]:
    """In how many bits the first word, the first two, … and all of two hashes that differ in `limit` may differ."""
    total, share = WORDS * WORD_BITS, limit / (WORDS * WORD_BITS)
    drawn = [WORD_BITS * (word + 1) for word in range(WORDS)]
    spread = [math.sqrt(bits * share * (1 - share) * (total - bits) / (total - 1)) for bits in drawn]
    return tuple(min(limit, math.ceil(bits * share + DEVIATIONS * one)) for bits, one in zip(drawn, spread, strict=True))


def _identity(support_id: str) -> Words:
    return np.frombuffer(uuid.UUID(support_id).bytes, np.uint64)


def _words(value: int) -> Words:
    return np.frombuffer(value.to_bytes(WORDS * WORD_BITS // 8, "big"), np.uint64)
