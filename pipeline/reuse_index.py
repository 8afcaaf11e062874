"""The index of fingerprints in memory: over all of them, by brute force. Holds no truth: it is rebuilt from what is sealed.

A support takes 4 hashes of 64 bytes, an embedding of 512, and 20 bytes of ids: 788 bytes, 0.79 GB a million; rows are
added in blocks, so no more than one block is spare. One process of a deployment holds it; processes (of citizens) can be
put into indexes of their own, since a look-up within one process needs no other.
"""

from __future__ import annotations

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
EMBEDDING = 128
BLOCK = 1 << 15
"""Supports a block: one word of each of its hashes (256 KB) stays in a core's second cache while it is compared."""
FIRST_SHARE, FIRST_ROOM = 1.0, 10
"""Of two hashes within the limit, the first word differs by its share of the limit and at most this many bits more: that is
over four standard deviations of how 64 of 512 bits are drawn. It is looked at alone first."""
MOST = 256
"""Neighbours of one kind that a look-up gives, the newest: one picture came 96,000 times."""
Words = NDArray[np.uint64]


@dataclass(slots=True)
class Block:
    """BLOCK supports. hashes: (parts, words, rows), all zero where a part has none; `process` -1: forgotten."""

    hashes: Words
    faces: NDArray[np.float32]
    process: NDArray[np.int32]
    ids: NDArray[np.void]
    used: int = 0

    @staticmethod
    def empty() -> Block:
        return Block(np.zeros((len(PARTS), WORDS, BLOCK), np.uint64), np.zeros((BLOCK, EMBEDDING), np.float32),
                     np.full(BLOCK, -1, np.int32), np.zeros(BLOCK, "V16"))


class ReuseIndex:
    """Not thread-safe: its owner lets one call in at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._blocks: list[Block] = []
        self._places: dict[bytes, list[int]] = {}
        self._processes: dict[str, int] = {}

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
        block.faces[row] = 0.0 if prints.face is None else prints.face
        block.process[row] = self._processes.setdefault(process, len(self._processes))
        identity = uuid.UUID(support_id).bytes
        block.ids[row] = np.void(identity)
        block.used += 1
        self._places.setdefault(identity, []).append((len(self._blocks) - 1) * BLOCK + row)

    def forget(self, support_id: str) -> None:
        """Every set of the support, overwritten; nothing where it is not known."""
        for place in self._places.pop(uuid.UUID(support_id).bytes, ()):
            block, row = self._blocks[place // BLOCK], place % BLOCK
            block.hashes[:, :, row], block.faces[row], block.process[row] = 0, 0.0, -1
            block.ids[row] = np.void(bytes(16))

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> frozenset[Neighbour]:
        """Other supports whose pictures, signature or face are alike (`domain.reuse.in_common` without digests and numbers).

        process: of which the neighbours must be; None: of any.
        """
        within = None if process is None else self._processes.get(process, -2)
        own = np.void(uuid.UUID(support_id).bytes)
        found: set[Neighbour] = set()
        for kind, rows in self._alike(prints):
            taken: dict[bytes, None] = {}
            for block, row in rows:
                if block.process[row] >= 0 and within in (None, block.process[row]) and block.ids[row] != own:
                    taken[block.ids[row].tobytes()] = None
                    if len(taken) == MOST:
                        break
            found |= {Neighbour(str(uuid.UUID(bytes=identity)), kind) for identity in taken}
        return frozenset(found)

    def _alike(self, prints: Fingerprints) -> Iterator[tuple[Kind, Iterator[tuple[Block, int]]]]:
        """Of each kind of print that is there: the rows that match, newest first."""
        for place, part in enumerate(PARTS):
            if part in prints.perceptual:
                yield kind_of(part), self._near(place, _words(prints.perceptual[part]), self._limits.bits[part])
        if prints.face is not None:
            yield Kind.FACE, self._resembling(np.asarray(prints.face, np.float32))

    def _near(self, place: int, wanted: Words, limit: int) -> Iterator[tuple[Block, int]]:
        first = limit * FIRST_SHARE / WORDS + FIRST_ROOM
        for block in reversed(self._blocks):
            hashes = block.hashes[place, :, : block.used]
            rows = np.flatnonzero(np.bitwise_count(hashes[0] ^ wanted[0]) <= first)
            distances = np.bitwise_count(hashes[:, rows] ^ wanted[:, None]).sum(axis=0, dtype=np.int64)
            rows = rows[distances <= limit]
            there = hashes[:, rows].any(axis=0)
            yield from ((block, int(row)) for row in rows[there][::-1])

    def _resembling(self, wanted: NDArray[np.float32]) -> Iterator[tuple[Block, int]]:
        for block in reversed(self._blocks):
            rows = np.flatnonzero(block.faces[: block.used] @ wanted >= self._limits.face)
            yield from ((block, int(row)) for row in rows[::-1])


def _words(value: int) -> Words:
    return np.frombuffer(value.to_bytes(WORDS * WORD_BITS // 8, "big"), np.uint64)
