"""`apoyo bench accuracy`: what was answered against the truth beside each specimen; counts, rates, 95 % intervals."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.networks.api import Array, Net, Networks

GOOD_IOU = 0.9
"""The issue's own mark for a located card."""
FIELDS = ("curp", "elector_key", "section", "expiry_year", "birth_date", "paternal_surname", "maternal_surname", "given_names")
GH = {"G", "H"}
Judge = Callable[[Path], tuple[dict[str, Any], dict[str, Any]]]


def judge_all(folders: list[Path], jobs: int, judge: Judge | None = None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(truth, resource) of each folder, judged in `jobs` processes; by `judge` where another than `judge_one` is given."""
    judge = judge or judge_one
    if jobs <= 1:
        start()
        yield from map(judge, folders)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=start) as pool:
        yield from pool.imap(judge, folders)


class Counting:
    """Networks that count their runs by name."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self.runs: Counter[str] = Counter()

    def run(self, name: Net, batch: Array) -> tuple[Array, ...]:
        self.runs[name] += 1
        return self._networks.run(name, batch)

    def digests(self) -> dict[str, str]:
        return self._networks.digests()


_state: dict[str, Any] = {}


def runs_of(network: str) -> int:
    """How often this process has run it yet."""
    return int(_state["networks"].runs[network])


def start() -> None:
    from models.registry import load_calibration
    from pipeline.wiring import local_networks, pin_threads

    pin_threads(1)
    _state.update(networks=Counting(local_networks(threads=1)), calibration=load_calibration())


def judge_one(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from pipeline.cli.verify import Desk
    from pipeline.domain.process import DEMO_PROCESS

    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return truth, Desk(DEMO_PROCESS, None, _state["networks"], _state["calibration"]).judge(folder)


def compare(truth: dict[str, Any], answer: dict[str, Any]) -> dict[str, bool]:
    """One support: which questions were answered right. Questions that do not arise are left out."""
    if "error" in answer:
        return {"verdict": False, "no_error": False}
    right = {"verdict": answer["verdict"] in truth["expected"]["verdicts"], "no_error": True}
    subjects = set(truth["expected"].get("subjects", ()))
    if subjects:
        right["reason_subject"] = bool(subjects & {reason["subject"] for reason in answer["reasons"]})
    if truth["case"] != "good":
        return right
    for name, iou in corner_ious(truth, answer):
        right[f"corners_{name}"] = iou >= GOOD_IOU
    candidates = set(answer["card"]["candidates"])
    right["model"] = truth["model"] in candidates and candidates <= (GH if truth["model"] in GH else {truth["model"]})
    right |= _codes(truth, answer)
    if truth["mrz"]:
        right["mrz_exact"] = answer["mrz"] is not None and answer["mrz"]["lines"] == truth["mrz"]
        right["mrz_not_wrongly_valid"] = not (answer["mrz"] and answer["mrz"]["valid"]
                                              and answer["mrz"]["lines"][:2] != truth["mrz"][:2])
    for name in FIELDS:
        if truth["fields"].get(name):
            right[f"field_{name}"] = front_value(answer, name) == truth["fields"][name]
    right["face"] = answer["face"]["outcome"] == ("match" if truth["face"]["genuine"] else "no_match")
    return right


def corner_ious(truth: dict[str, Any], answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Per side: intersection over union of the upright corners; 0 where the side was not found or stands on its head."""
    import numpy as np

    from pipeline.stages.geometry import quad_iou

    found = []
    for photo in ("front", "back"):
        shows = truth[photo].get("shows")
        if shows not in ("front", "back"):
            continue
        side = answer["card"][shows]
        if side is None or side["capture"] != photo:
            found.append((shows, 0.0))
            continue
        want, got = np.array(truth[photo]["corners"], np.float64), np.array(side["corners"], np.float64)
        upright = float(np.linalg.norm(want[0] - got[0])) < float(np.linalg.norm(want[0] - got[2]))
        found.append((shows, quad_iou(want, got) if upright else 0.0))
    return found


def _codes(truth: dict[str, Any], answer: dict[str, Any]) -> dict[str, bool]:
    read = {code["role"]: code["sha256"] for code in answer["codes"] if code["status"] != "detected"}
    want: dict[str, bool] = {}
    for code in truth["codes"]:
        name = "large_qrs" if code["role"].startswith("large") else code["role"]
        want[f"code_{name}"] = want.get(f"code_{name}", True) and read.get(code["role"]) == code["sha256"]
    return want


def front_value(answer: dict[str, Any], name: str) -> str | None:
    """What was read on the front; None where nothing was."""
    field = answer["fields"].get(name)
    return next((one["value"] for one in field["readings"] if one["source"] == "front"), None) if field else None


def run_accuracy(folders: list[Path], jobs: int, tick: Callable[[], None]) -> dict[str, Any]:
    """Counts over all folders, mean IoU, wrong verdicts by case, and the names of what went wrong (the seeds draw them again)."""
    from benchmarks.report import rate

    tally: dict[str, list[bool]] = {}
    ious: list[float] = []
    wrong: list[dict[str, Any]] = []
    outcomes: Counter[str] = Counter()
    for truth, answer in judge_all(folders, jobs):
        right = compare(truth, answer)
        for question, ok in right.items():
            tally.setdefault(question, []).append(ok)
        if "error" not in answer:
            outcomes[f"{truth['case']} → {answer['verdict']}"] += 1
            if truth["case"] == "good":
                ious += [iou for _, iou in corner_ious(truth, answer)]
        missed = sorted(question for question, ok in right.items() if not ok)
        if missed:
            wrong.append({"support": Path(answer["source"]).name, "missed": missed, "verdict": answer.get("verdict"),
                          "reasons": [reason["code"] for reason in answer.get("reasons", ())]})
        tick()
    rates = {name: rate(sum(hits), len(hits)) for name, hits in sorted(tally.items())}
    return {"supports": len(folders), "rates": rates,
            "iou_mean": round(sum(ious) / len(ious), 5) if ious else None,
            "iou_0.99": rate(sum(iou >= 0.99 for iou in ious), len(ious)),
            "outcomes": dict(sorted(outcomes.items())), "wrong": wrong}
