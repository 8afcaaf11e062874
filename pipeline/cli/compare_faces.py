"""`apoyo compare-faces`: whether two pictures show the same person."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.domain.calibration import Calibration
    from pipeline.domain.evidence import FaceFound
    from pipeline.networks.api import Image, Networks
    from pipeline.networks.face_detector import Face
    from pipeline.networks.insightface_packs import Pack


def compare_faces_command(
    a: Annotated[Path | None, typer.Argument(help="A picture with a face.")] = None,
    b: Annotated[Path | None, typer.Argument(help="Another.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="CSV with the columns a and b: a pair a row.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    pack: Annotated[str | None, typer.Option(help="A pack added by `apoyo models add`: similarity alone, no threshold.")] = None,
) -> None:
    """Compare the faces of two pictures, or of each pair of a CSV: similarity, threshold, and what follows.

    Of several faces the largest counts. A pair whose pictures are too small to tell is `uncertain`, never `no_match`.
    """
    if (pairs is None) == (a is None or b is None):
        raise typer.BadParameter("give two pictures, or --pairs with a CSV")
    wanted = [(str(a), str(b), a, b)] if a and b else list(read_pairs(pairs)) if pairs else []
    from models.registry import load_calibration
    from pipeline.wiring import local_networks

    album = Album(local_networks(), load_calibration(), _load_pack(pack) if pack else None)
    for name_a, name_b, path_a, path_b in wanted:
        answer = {"a": name_a, "b": name_b} | compare(path_a, path_b, album)
        typer.echo(json.dumps(answer) if jsonl else _line(answer))


def _load_pack(name: str) -> Pack:
    from models.packs import find_pack
    from models.registry import load_calibration
    from pipeline.networks.insightface_packs import Pack, load_pack_detector, load_pack_recogniser

    files, minimum = find_pack(name), load_calibration()["face.detector_min"]
    return Pack(load_pack_detector(files.path("detector"), minimum), load_pack_recogniser(files.path("recogniser")))


def read_pairs(table: Path) -> Iterator[tuple[str, str, Path, Path]]:
    """Each row's names as they stand, and their files: beside the CSV, in the working directory, or one folder up."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not {"a", "b"} <= set(rows.fieldnames or ()):
                raise typer.BadParameter("the CSV needs the columns a and b", param_hint="--pairs")
            for row in rows:
                name_a, name_b = row["a"] or "", row["b"] or ""
                yield name_a, name_b, _beside(table, name_a), _beside(table, name_b)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{table} cannot be read: {error}", param_hint="--pairs") from error


def _beside(table: Path, name: str) -> Path:
    folder = table.resolve().parent
    places = [folder / name, Path(name), folder.parent / name]
    return next((place for place in places if place.is_file()), places[0])


@dataclass(frozen=True, slots=True)
class Entry:
    """The face of one file, or what is wrong with it."""

    vector: NDArray[np.float32] | None
    quality: FaceFound | None
    faces: int
    error: dict[str, str] | None


class Album:
    """Faces by file: each file is decoded and embedded once, however many pairs name it."""

    def __init__(self, networks: Networks, calibration: Calibration, pack: Pack | None = None) -> None:
        self.networks = networks
        self.calibration = calibration
        self.pack = pack
        self._entries: dict[Path, Entry] = {}

    def face(self, path: Path) -> Entry:
        if path not in self._entries:
            self._entries[path] = self._look(path)
        return self._entries[path]

    def _look(self, path: Path) -> Entry:
        from pipeline.errors import BadInput
        from pipeline.networks.face_recogniser import align
        from pipeline.stages.decode import decode
        from pipeline.stages.face_quality import face_found

        try:
            photo = decode(path.read_bytes())
        except OSError as error:
            return Entry(None, None, 0, {"code": "unreadable_file", "detail": error.strerror or type(error).__name__})
        except BadInput as error:
            return Entry(None, None, 0, {"code": error.code, "detail": error.detail})
        face, count = self._find(photo.view)
        if face is None:
            return Entry(None, None, 0, {"code": "face.not_found", "detail": "no face found"})
        crop = align(photo.view, face.landmarks)
        return Entry(self._embed(crop), face_found(face, crop, photo.scale, photo.scale), count, None)

    def _find(self, view: Image) -> tuple[Face | None, int]:
        from pipeline.stages.match_face import find_selfie, main_face

        if self.pack:
            return main_face(self.pack.detector.detect(view), view)
        return find_selfie(view, self.networks, self.calibration)

    def _embed(self, crop: Image) -> NDArray[np.float32]:
        from pipeline.stages.match_face import embed

        if self.pack:
            return self.pack.recogniser.embed([crop]).reshape(-1)
        return embed([crop], self.networks).reshape(-1)


def compare(a: Path, b: Path, album: Album) -> dict[str, Any]:
    """similarity (cosine), threshold, outcome and quality of a pair; `error` and no outcome where a file has no usable face."""
    entries = {"a": album.face(a), "b": album.face(b)}
    calibration = album.calibration
    threshold = None if album.pack else calibration["face.match"]
    answer: dict[str, Any] = {"similarity": None, "threshold": threshold, "outcome": None,
                              "quality": {name: _quality(entry) for name, entry in entries.items()}}
    for name, entry in entries.items():
        if entry.error is not None:
            return answer | {"error": entry.error | {"detail": f"{name}: {entry.error['detail']}"}}
    vectors = [entry.vector for entry in entries.values() if entry.vector is not None]
    similarity = float(vectors[0] @ vectors[1])
    qualities = [entry.quality for entry in entries.values() if entry.quality is not None]
    outcome = None if album.pack else judge(similarity, qualities, calibration)
    return answer | {"similarity": round(similarity, 4), "outcome": outcome}


def judge(similarity: float, faces: list[FaceFound], calibration: Calibration) -> str:
    """`match`, `no_match`, or `uncertain`: between the thresholds, or with a face too poor to deny by."""
    from pipeline.checks.person import too_poor

    if similarity >= calibration["face.match"]:
        return "match"
    if similarity >= calibration["face.no_match"] or any(too_poor(face, calibration) for face in faces):
        return "uncertain"
    return "no_match"


def _quality(entry: Entry) -> dict[str, Any] | None:
    if entry.quality is None:
        return None
    values = asdict(entry.quality)
    values["box"] = [round(float(value), 1) for value in values["box"]]
    values = {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
    return values | {"faces": entry.faces}


def _line(answer: dict[str, Any]) -> str:
    pair = f"{answer['a']} {answer['b']}"
    if "error" in answer:
        return f"{pair}: error: {answer['error']['code']}: {answer['error']['detail']}"
    if answer["outcome"] is None:
        return f"{pair}: similarity {answer['similarity']:.3f} (no threshold was set for a pack)"
    return f"{pair}: {answer['outcome']} (similarity {answer['similarity']:.3f}, threshold {answer['threshold']:.3f})"
