"""Whole supports as folders: four pictures, the phone's words, and the truth. Seeded, parallel, cached.

What a folder holds hangs on (seed, index, severity, case, model, long side) and this package's own sources alone: not on
how many are drawn, by how many processes, or when.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.specimens.camera import LONG_SIDES, MRZ_BOX, Defect, Scene, Severity, draw_scene, photograph
from models.specimens.card import CardSpec, DrawnCard, DrawnSide, draw_card
from models.specimens.cases import CASES, DEMO, Case, Target
from models.specimens.edits import edited
from models.specimens.faces import FacePhoto, load_faces
from models.specimens.people import Person, invent_person
from models.specimens.selfie import take_selfie
from models.specimens.signatures import draw_signature, strokes_json
from models.specimens.truth import Taken, codes_truth, expected, fields_truth, needed_boxes, photo_truth
from pipeline.domain.card_model import CardModel, Side
from pipeline.domain.evidence import BoxMm, CodeRole

AS_OF = date(2026, 11, 24)
"""Vigencia is judged against this day, so that the same bytes give the same verdict next year."""
MEXICO_CITY = timezone(timedelta(hours=-6))
MIXED = "mixed"
JITTER_MM = 0.2
"""How far print moves from the layout: printers are not exact, and templates must not rely on it."""
_ISSUED = {CardModel.E: (2016, 2019), CardModel.F: (2016, 2019), CardModel.G: (2019, 2026), CardModel.H: (2019, 2026),
           CardModel.D: (2013, 2014), CardModel.C: (2009, 2013), CardModel.B: (1996, 2003), CardModel.A: (1993, 2000)}
"""First and last year of issue of the cards that are drawn (domain.md); E and F only where still valid."""


@dataclass(frozen=True, slots=True)
class Order:
    """One support to draw."""

    index: int
    seed: int
    severity: Severity
    case: str
    model: CardModel
    long_side: int | None

    @property
    def name(self) -> str:
        return f"{self.index:04d}-{self.case}-{self.model}"

    @property
    def stamp(self) -> str:
        """What decides its bytes, as a digest."""
        said = f"{self.seed}/{self.index}/{self.severity}/{self.case}/{self.model}/{self.long_side}/{generator_version()}"
        return hashlib.sha256(said.encode()).hexdigest()


def make_specimens(out: Path, count: int, seed: int, severity: str = "normal", cases: Sequence[str] | None = None, *,
                   long_side: int | None = None, jobs: int | None = None) -> list[Path]:
    """Draws `count` supports into `out`; returns their folders in order. What is there already, complete, is left.

    severity: easy, normal, hard, or `mixed`.  cases: names of `CASES`, taken in turn; None or empty is a mixture in which
    most are good.  jobs: processes, by default one a core.  Raises ValueError for an unknown case or severity.
    """
    unknown = [name for name in cases or () if name not in CASES]
    if unknown:
        raise ValueError(f"unknown case {unknown[0]!r}: there are {', '.join(CASES)}")
    return draw_all(out, [_order(index, seed, severity, cases, long_side) for index in range(count)], jobs)


def make_demo(out: Path, seed: int, severity: str = "easy", jobs: int | None = None) -> list[Path]:
    """The demo's supports: each of `DEMO` once."""
    orders = [Order(index, seed, Severity(severity), case, model, None) for index, (case, model) in enumerate(DEMO)]
    return draw_all(out, orders, jobs)


def _order(index: int, seed: int, severity: str, cases: Sequence[str] | None, long_side: int | None) -> Order:
    rng = random.Random(f"{seed}/{index}/order")
    if cases:
        case = CASES[cases[index % len(cases)]]
    else:
        case = rng.choices(list(CASES.values()), [each.share for each in CASES.values()])[0]
    chosen = rng.choice(list(Severity)) if severity == MIXED else Severity(severity)
    turn = index // len(cases) if cases else rng.randrange(len(case.models))
    return Order(index, seed, chosen, case.name, case.models[turn % len(case.models)], long_side)


def draw_all(out: Path, orders: Sequence[Order], jobs: int | None) -> list[Path]:
    """Draws what is missing, in `jobs` processes, with a bar on a terminal's standard error."""
    from rich.console import Console
    from rich.progress import Progress

    out.mkdir(parents=True, exist_ok=True)
    for order in orders:
        _clear_other(out, order)
    missing = [order for order in orders if not _complete(out / order.name, order)]
    jobs = max(1, min(jobs or len(os.sched_getaffinity(0)), len(missing)))
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("drawing specimens", total=len(missing))
        for _ in _drawn(out, missing, jobs):
            progress.advance(task)
    return [out / order.name for order in orders]


def _drawn(out: Path, orders: Sequence[Order], jobs: int) -> Iterable[None]:
    if jobs == 1:
        for order in orders:
            draw_support(out, order)
            yield None
        return
    # spawned: OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for future in as_completed([pool.submit(draw_support, out, order) for order in orders]):
            yield future.result()


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _complete(folder: Path, order: Order) -> bool:
    """truth.json is written last, so a folder that has one with this stamp is whole."""
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(truth.get("stamp") == order.stamp)


def _clear_other(out: Path, order: Order) -> None:
    """Removes a folder of ours that an earlier run left under this index, so that `out/*` holds one support an index."""
    for old in out.glob(f"{order.index:04d}-*"):
        if old.name != order.name and (old / "truth.json").is_file():
            shutil.rmtree(old)


@functools.cache
def generator_version() -> str:
    """Digest of this package's sources and tables and of the libraries whose code shapes the bytes."""
    room = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(room.rglob("*")):
        if path.suffix in (".py", ".json", ".toml") and path.is_file():
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    for library in ("numpy", "opencv-python-headless", "pillow", "simplejpeg", "segno", "zxing-cpp"):
        digest.update(f"{library}={version(library)}".encode())
    return digest.hexdigest()[:16]


@functools.cache
def _faces() -> tuple[FacePhoto, ...]:
    return load_faces()


def draw_support(out: Path, order: Order) -> None:
    """Draws one support into its folder. Raises `Misconfigured` where the portraits are not there."""
    folder, case = out / order.name, CASES[order.case]
    rng = np.random.default_rng([order.seed, order.index])
    chooser = random.Random(f"{order.seed}/{order.index}")
    faces = _faces()
    identities = list(dict.fromkeys(face.identity for face in faces))
    identity = identities[(order.index + order.seed) % len(identities)]
    photos_of = [face for face in faces if face.identity == identity]
    on_card, in_selfie = photos_of[0], photos_of[-1]
    if not case.own_face:
        in_selfie = chooser.choice([face for face in faces if face.identity != identity])

    spec = _spec(chooser, order, case, identity)
    card = draw_card(spec, on_card.portrait())
    back, back_mrz = card.back, card.back.mrz
    if not case.own_back:
        other = _spec(chooser, order, case, identity, avoid=spec.person)
        back = draw_card(other, on_card.portrait()).back
        back_mrz = back.mrz
    moment = datetime(AS_OF.year, AS_OF.month, AS_OF.day, chooser.randint(8, 19), chooser.randrange(60), chooser.randrange(60))
    taken = _card_photos(rng, order, case, card, back, moment)
    selfie, selfie_facts = take_selfie(in_selfie, rng, phone="Telefono", moment=_exif_time(moment + timedelta(seconds=70)))
    signature, strokes = draw_signature(rng, case.signature)

    words: dict[str, Any] = {
        "process": "demo", "as_of": AS_OF.isoformat(), "chosen_model": str(order.model), "notice_version": "1",
        "captured_at": moment.replace(tzinfo=MEXICO_CITY).isoformat(), "strokes": strokes_json(strokes)}
    truth = {
        "stamp": order.stamp, "seed": order.seed, "index": order.index, "severity": order.severity.value, "case": order.case,
        "as_of": AS_OF.isoformat(), "model": str(order.model), "expected": expected(case, taken),
        "front": photo_truth(taken[0]), "back": photo_truth(taken[1]), "fields": fields_truth(spec, card),
        "mrz": list(back_mrz) if back_mrz else None, "codes": codes_truth(card, back),
        "face": {"genuine": case.own_face, "card": on_card.photo, "selfie": selfie_facts,
                 "credits": sorted({on_card.credit, in_selfie.credit})},
        "signature": {"kind": case.signature.value},
    }
    _write(folder, {"front.jpg": taken[0].shot.jpeg, "back.jpg": taken[1].shot.jpeg, "selfie.jpg": selfie,
                    "signature.png": signature, "support.json": _json(words), "truth.json": _json(truth)})


def _spec(chooser: random.Random, order: Order, case: Case, identity: str, avoid: Person | None = None) -> CardSpec:
    """The card: a citizen who was an adult in time, issued in its model's years, valid unless the case says expired."""
    first, last = (2014, 2015) if case.expired else _ISSUED[order.model]
    issue = chooser.randint(first, last)
    while True:
        person = invent_person(chooser, identity, adult_by=min(2013, issue), abroad=order.model.issued_abroad)
        if avoid is None or (person.curp != avoid.curp and person.cic != avoid.cic and person.birth != avoid.birth):
            break
    spec = CardSpec(order.model, person, issue, issue + 10, chooser.randrange(2**31), JITTER_MM)
    return spec if case.edit is None else edited(spec, case.edit, chooser)


def _card_photos(rng: np.random.Generator, order: Order, case: Case, card: DrawnCard, back: DrawnSide,
                 moment: datetime) -> tuple[Taken, Taken]:
    """The two photos, taken seconds apart with the same phone, at the same size, in about the same place."""
    scene = draw_scene(rng, order.severity, _exif_time(moment))
    long_side = order.long_side or int(rng.choice(LONG_SIDES))
    photos = []
    for place, (shows, defect) in enumerate(zip(case.shows, (case.front_defect, case.back_defect), strict=True)):
        side = None if shows is None else card.front if shows is Side.FRONT else back
        now = Scene(scene.surface, scene.surface_seed, scene.lamp, scene.exposure, scene.phone,
                    _exif_time(moment + timedelta(seconds=20 * place)))
        shot = photograph(
            None if side is None else side.image, rng, order.severity, long_side=long_side,
            defect=Defect.NO_CARD if side is None else defect, scene=now,
            keep_clear=() if side is None else needed_boxes(side), target=_target(rng, side, case.hits))
        photos.append(Taken(shot, shows, side))
    return photos[0], photos[1]


def _target(rng: np.random.Generator, side: DrawnSide | None, hits: Target | None) -> BoxMm | None:
    """What a defect on purpose lies upon: the portrait of a front, the MRZ of a back (None: the camera's own guess)."""
    if side is None or hits is None:
        return None if side is None else side.portrait_box_mm
    if hits is Target.PORTRAIT:
        return side.portrait_box_mm
    if hits is Target.MRZ:
        x0, y0, x1, y1 = MRZ_BOX
        left, wide = float(rng.uniform(x0 + 4, x1 - 24)), float(rng.uniform(12, 20))
        return left, y0 + 2, left + wide, y1 - 2
    corners = np.array([code.corners_mm for code in side.codes if code.role is CodeRole.SMALL]).reshape(-1, 2)
    if not len(corners):
        return None
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _exif_time(moment: datetime) -> str:
    return f"{moment:%Y:%m:%d %H:%M:%S}"


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """All files of a support; the truth, which says that the folder is whole, last and at once."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.json").unlink(missing_ok=True)
    for name, content in files.items():
        part = folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
