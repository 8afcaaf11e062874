"""Reuse: the one look-up between the two halves of the job. What of this support came with another one, before or beside it?

The index follows the rows by their number, so a support is found as soon as it was registered. A look-up says up to which
number it saw; what was registered after that is compared again, one by one, in the transaction that writes the verdict.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy import Connection

from pipeline import telemetry
from pipeline.blobs.sealing import Keyring
from pipeline.domain.evidence import Fingerprints
from pipeline.domain.reuse import Kind, Limits, Neighbour, Reuse, Seen, differ, in_common, same_background, seen_for, there_is
from pipeline.errors import ApoyoError, Corrupt
from pipeline.records.engine import reading
from pipeline.records.reuse import (
    Registered,
    Standing,
    count_by,
    exact_neighbours,
    hold_registrations,
    read_after,
    registered_after,
    registered_by,
    registered_of,
    standing,
)
from pipeline.records.storage import Storage
from pipeline.reuse_index import ReuseIndex

COMPARED_BACKGROUNDS = 64
"""Of one sender's supports, how many are compared by what they lie on, the newest: to open one takes 0.03 ms."""
COMPARED_PORTRAITS = 16
"""Of supports with the same card, how many portraits are compared with this one's, the newest."""


class Overtaken(ApoyoError):
    """Something alike was registered while this support was being decided: look up and decide again."""

    code = "overtaken"

    def __init__(self, neighbours: frozenset[Neighbour]) -> None:
        super().__init__("a support with something in common was registered meanwhile")
        self.neighbours = neighbours


@dataclass(frozen=True, slots=True)
class Asked:
    """A support's own side of the look-up. card, sender: keyed digests.  process: where neighbours are; None: everywhere.
    background: whether those of the sender are to be compared.  most: up to how many of the sender's supports are counted."""

    support_id: str
    process: str | None
    applicant: str | None
    card: str | None
    prints: Fingerprints = field(repr=False)
    sender: str | None = None
    background: bool = False
    most: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """The answer, whom it comes from (for the desk), and the number up to which everything was seen."""

    reuse: Reuse
    neighbours: frozenset[Neighbour]
    seq: int


class Index(Protocol):
    """Where alike pictures, drawings and faces are looked for."""

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> tuple[frozenset[Neighbour], int]:
        """The neighbours among all that was registered up to a number, and that number. Raises `Unavailable`."""
        ...


class FollowingIndex:
    """An index in this process that reads what is new before each answer. Thread-safe."""

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self._storage, self._index, self._seq = storage, ReuseIndex(limits), 0
        self._lock = threading.Lock()

    def follow(self) -> int:
        """Read what was registered or erased since; how many supports' captures are held."""
        with self._lock:
            self._follow()
            return len(self._index)

    def look_up(self, support_id: str, process: str | None, prints: Fingerprints) -> tuple[frozenset[Neighbour], int]:
        with self._lock:
            self._follow()
            return self._index.look_up(support_id, process, prints), self._seq

    def _follow(self) -> None:
        for row in registered_after(self._storage.engine, self._seq):
            prints = open_prints(self._storage.keyring, row)
            if prints is None:
                self._index.forget(row.support_id)
            else:
                self._index.add(row.support_id, row.process, prints)
            self._seq = row.seq


class ReuseSearch:
    """Asks the rows for what is equal and the index for what is alike."""

    def __init__(self, storage: Storage, limits: Limits, index: Index) -> None:
        self._storage, self._limits, self._index = storage, limits, index

    def look_up(self, asked: Asked, known: frozenset[Neighbour] = frozenset()) -> Looked:
        """known: neighbours that `demand_nothing_new` has named already. Raises `Unavailable`."""
        with telemetry.STAGE_SECONDS.labels("look_up").time():
            alike, seq = self._index.look_up(asked.support_id, asked.process, asked.prints)
            with reading(self._storage.engine) as connection:
                neighbours = alike | known | self._exact(connection, asked)
                there = standing(connection, neighbours, asked.process)
                backgrounds, of_sender = self._of_sender(connection, asked)
        counted = frozenset(one for one in neighbours if one.support_id in there)
        reuse = replace(self._answer(asked, counted, there), background=backgrounds, sender=of_sender)
        return Looked(reuse, counted, seq)

    def _of_sender(self, connection: Connection, asked: Asked) -> tuple[int | None, int | None]:
        """Of the sender's newest other supports, how many lie on what looks the same; and how many there are."""
        if asked.sender is None:
            return None, None
        alike: set[str] = set()
        if asked.background and asked.prints.background is not None:
            for row in registered_by(connection, asked.sender, asked.support_id, COMPARED_BACKGROUNDS):
                prints = open_prints(self._storage.keyring, row)
                if prints is not None and same_background(asked.prints, prints, self._limits):
                    alike.add(row.support_id)
        return (len(alike) if asked.background else None,
                count_by(connection, asked.sender, asked.support_id, asked.most) if asked.most else None)

    def demand_nothing_new(self, asked: Asked, looked: Looked, connection: Connection) -> None:
        """Raises `Overtaken` where something else turned out to be in common since, within the transaction that is to write the
        verdict."""
        hold_registrations(connection)
        seq, found = looked.seq, set(self._exact(connection, asked))
        while rows := read_after(connection, seq):
            seq = rows[-1].seq
            for row in rows:
                prints = None if row.support_id == asked.support_id else open_prints(self._storage.keyring, row)
                if prints is not None:
                    found |= {Neighbour(row.support_id, kind) for kind in in_common(asked.prints, prints, self._limits)}
        known = {one.kind for one in looked.neighbours}  # one more of a kind changes nothing: a flood of copies ends too
        new = frozenset(one for one in found if one.kind not in known)
        if new and standing(connection, new, asked.process):
            raise Overtaken(looked.neighbours | new)

    def _exact(self, connection: Connection, asked: Asked) -> frozenset[Neighbour]:
        digests = tuple(asked.prints.part_sha256.values())
        return exact_neighbours(connection, asked.support_id, asked.process, digests, asked.card)

    def _answer(self, asked: Asked, neighbours: Collection[Neighbour], there: dict[str, Standing]) -> Reuse:
        def seen(kind: Kind) -> Seen | None:
            applicants = {there[one.support_id].applicant for one in neighbours if one.kind is kind}
            return seen_for(asked.applicant, applicants) if there_is(asked.prints, kind) else None

        with_card = sorted(one.support_id for one in neighbours if one.kind is Kind.CARD)
        cards = {there[one.support_id].card for one in neighbours if one.kind is Kind.IMAGE}
        return Reuse(seen(Kind.IMAGE), seen(Kind.CARD), seen(Kind.FACE), seen(Kind.SIGNATURE),
                     data_differ=asked.card is not None and bool(cards - {asked.card, None}),
                     portrait_differs=self._other_face(asked.prints, with_card[-COMPARED_PORTRAITS:]))

    def _other_face(self, prints: Fingerprints, support_ids: list[str]) -> bool:
        """Whether one of these supports shows somebody else."""
        if prints.face is None or not support_ids:
            return False
        others = (open_prints(self._storage.keyring, row) for row in registered_of(self._storage.engine, support_ids))
        return any(other is not None and differ(prints, other, self._limits) for other in others)


def open_prints(keyring: Keyring, row: Registered) -> Fingerprints | None:
    """None of a support that was erased, and of one whose seal is broken: it cannot be compared, and the log says so."""
    if row.sealed is None or row.key is None:
        return None
    try:
        opened = keyring.unwrap(row.support_id, row.key).open("fingerprints", row.round, row.sealed)
    except Corrupt as error:
        telemetry.logger("reuse").error("fingerprints cannot be opened", support=row.support_id, code=error.code)
        return None
    values = json.loads(opened)
    return Fingerprints(values["part_sha256"], values["perceptual"], None if values["face"] is None else tuple(values["face"]),
                        values["card_key"], None if values.get("background") is None else tuple(values["background"]))
