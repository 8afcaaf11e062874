"""Pages from raw results: `python -m benchmarks.page` writes docs/performance.md, docs/accuracy.md and their drawings anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.faces_page import det, faces_lines, roc
from benchmarks.gpu_page import gpu_lines
from benchmarks.load_page import capacity_lines, intake_lines, load_drawing, load_lines, soak_drawing, soak_lines
from benchmarks.peers import peers_lines
from benchmarks.presentation_page import det_plot, presentation_lines
from benchmarks.report import RESULTS
from benchmarks.reuse_page import reuse_lines
from benchmarks.signature_page import signature_lines, worst_sheet

DOCS = RESULTS.parent.parent / "docs"
TARGETS = {"corners_front": 98, "corners_back": 98, "model": 98, "code_small": 98, "mrz_exact": 94, "verdict": 94}
"""Set for easy captures (per cent)."""
TITLES = {
    "verdict": "verdict as expected", "reason_subject": "reason names the right subject", "no_error": "no error",
    "corners_front": "front: corners IoU ≥ 0.9", "corners_back": "back: corners IoU ≥ 0.9",
    "model": "model (G and H one class)", "code_small": "small QR", "code_large_qrs": "both large QRs", "code_pdf417": "PDF417",
    "code_linear": "Code 128", "mrz_exact": "MRZ, three lines exact", "mrz_not_wrongly_valid": "no wrong MRZ called valid",
    "face": "selfie matched",
}
COLUMNS = ("cpu_ms_mean", "cpu_ms_median", "cpu_ms_p90", "supports_per_second_and_core", "peak_rss_mb")
CAVEAT = """\
Measured on **drawn specimens only**: cards, captures and attacks of this project's own generator, of seeds that no network and
no threshold was set on; no real credential was used. INE's element tables and specimen pictures should be read by a person
before the templates are called exact. The networks were trained on drawings too (other seeds), so these figures say how the
whole works on material of this kind, and nothing of cards that differ from it."""
BAR, LEFT, WIDTH = 22, 190, 760


def main() -> None:
    for name, write in (("stages", write_performance), ("accuracy", write_accuracy), ("cards", write_cards),
                        ("reading", write_reading)):
        path = RESULTS / f"{name}.json"
        if path.exists():
            write(json.loads(path.read_text(encoding="utf-8")))
    accuracy, costs = result_of("reuse_accuracy"), result_of("reuse")
    if accuracy is not None:
        (DOCS / "reuse.md").write_text("\n".join(reuse_lines(accuracy, costs, _made_on(accuracy),
                                                                result_of("reuse_background"))) + "\n", encoding="utf-8")
    presentation = result_of("presentation")
    if presentation is not None:
        page = "\n".join(presentation_lines(presentation, _made_on(presentation))) + "\n"
        (DOCS / "presentation.md").write_text(page, encoding="utf-8")
        (DOCS / "presentation.svg").write_text(det_plot(presentation), encoding="utf-8")
    faces = result_of("faces")
    if faces is not None:
        page = "\n".join(faces_lines(faces, _made_on(faces), result_of("faces_cost"))) + "\n"
        (DOCS / "faces.md").write_text(page, encoding="utf-8")
        (DOCS / "faces-roc.svg").write_text(roc(faces), encoding="utf-8")
        (DOCS / "faces-det.svg").write_text(det(faces), encoding="utf-8")
    signature = result_of("signature")
    if signature is not None:
        (DOCS / "signature.md").write_text("\n".join(signature_lines(signature, _made_on(signature))) + "\n", encoding="utf-8")
        (DOCS / "signature-worst.svg").write_text(worst_sheet(signature["worst"]), encoding="utf-8")


def result_of(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_performance(result: dict[str, Any]) -> None:
    """docs/performance.md and docs/stages.svg."""
    summary, own = result["summary"], result["summary"]["apoyo"]
    (DOCS / "stages.svg").write_text(bars(own["stages_ms_mean"], "ms a support, by stage"), encoding="utf-8")
    rows = [("Apoyo, `examine` and `decide`", own)]
    rows += [("naive glue", summary["naive"])] if "naive" in summary else []
    lines = [
        "# Performance", "",
        f"{result['supports']} supports of 12 megapixels (good, normal severity), one thread, {_made_on(result)}. Made by",
        "`apoyo bench stages`; raw: `benchmarks/results/stages.json`; this page: `python -m benchmarks.page`.", "",
        "| | CPU mean, ms | median | p90 | supports/s/core | peak memory, MB |", "|---|---|---|---|---|---|",
        *("| " + " | ".join([title, *(str(row[column]) for column in COLUMNS)]) + " |" for title, row in rows), "",
    ]
    if "naive_over_apoyo" in summary:
        lines += ["The naive glue (`benchmarks/naive_glue.py`: OpenCV decode, zxing-cpp and RapidOCR with their defaults on both",
                  "photos, OpenCV's YuNet and SFace on full images) takes",
                  f"**{summary['naive_over_apoyo']} times** as much CPU.", ""]
    lines += ["![CPU by stage](stages.svg)", ""]
    peers = result_of("peers")
    if peers is not None:
        lines += peers_lines(peers, _made_on(peers))
    if (RESULTS / "memory.json").exists():
        lines += memory_lines(json.loads((RESULTS / "memory.json").read_text(encoding="utf-8")))
    reuse = result_of("reuse")
    if reuse is not None:
        lines += [f"Reuse: fingerprints take {reuse['fingerprints']['cpu_ms_median']} ms of CPU a support; a look-up among "
                  f"{reuse['supports']:,} takes {reuse['pictures']['cpu_ms_median']} ms for pictures, "
                  f"{reuse['card and files']['cpu_ms_median']} ms for the card and files, {reuse['faces']['cpu_ms_median']} ms "
                  f"for the face, and {reuse['index_mb']} MB of memory (`apoyo bench reuse`; docs/reuse.md).", ""]
    load = result_of("load")
    if load is not None:
        (DOCS / "load.svg").write_text(load_drawing(load), encoding="utf-8")
        lines += [*load_lines(load, _made_on(load)), "![latency against load](load.svg)", ""]
    intake = result_of("intake")
    if intake is not None:
        lines += intake_lines(intake, _made_on(intake))
    capacity = result_of("capacity")
    if capacity is not None:
        lines += capacity_lines(capacity)
    soak = result_of("soak")
    if soak is not None:
        (DOCS / "soak.svg").write_text(soak_drawing(soak), encoding="utf-8")
        lines += [*soak_lines(soak, _made_on(soak)), "![memory over the run](soak.svg)", ""]
    for file in ("gpu", "gpu_h200"):
        gpu = result_of(file)
        if gpu is not None:
            lines += gpu_lines(gpu, file)
    (DOCS / "performance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def memory_lines(result: dict[str, Any]) -> list[str]:
    """A worker's resident memory over a long run."""
    marks = result["rss_mb"]
    drawing = bars({f"after {count}": mb for count, mb in marks}, "resident MB of one worker process")
    (DOCS / "memory.svg").write_text(drawing, encoding="utf-8")
    return [f"Memory over {marks[-1][0]} supports in one process: {marks[0][1]} MB after {marks[0][0]},",
            f"{marks[-1][1]} MB at the end, peak {result['peak_rss_mb']} MB (`apoyo bench memory`).", "",
            "![memory](memory.svg)", ""]


def write_accuracy(result: dict[str, Any]) -> None:
    """docs/accuracy.md."""
    severities: dict[str, Any] = result["severities"]
    names = list(severities)
    questions = sorted({question for one in severities.values() for question in one["rates"]}, key=_order)
    lines = [
        "# Accuracy", "",
        CAVEAT, "",
        f"`apoyo bench accuracy`, seed {result['seed']}, {_made_on(result)}. In brackets: Wilson's 95 % interval.",
        "Questions about the card count good supports only; the verdict counts all cases (`models/specimens/cases.py`).", "",
        "| question | target, easy | " + " | ".join(f"{name}, {severities[name]['supports']} supports" for name in names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for question in questions:
        cells = [cell(severities[name]["rates"].get(question)) for name in names]
        target = f"≥ {TARGETS[question]} %" if question in TARGETS else ""
        lines.append(f"| {TITLES.get(question, question.replace('_', ' '))} | {target} | " + " | ".join(cells) + " |")
    lines += ["| mean IoU | | " + " | ".join(f"{severities[name]['iou_mean']:.4f}" for name in names) + " |", "",
              "Each wrong answer is listed by name in the raw file; its seed draws it again.", "",
              "The thresholds behind these answers, each with what it was measured on, are in `models/calibration/`."]
    (DOCS / "accuracy.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


CARD_TITLES = {
    "corners_iou_0.9": ("corners IoU ≥ 0.9", "≥ 99.7 %", "≥ 98 %"), "side": ("side and direction", "99.9 %", "99 %"),
    "model_e_to_h": ("model E to H (G and H one class)", "99.5 %", "97 %"),
    "model_a_to_d_refused_by_name": ("models A to D refused by name", "99.5 %", "97 %"),
    "no_card_not_called_one": ("no card, and none reported", "≥ 99.5 %", "≥ 98 %"),
    "cut_not_called_whole": ("cut card not called whole", "≥ 99.5 %", "≥ 98 %"),
    "retake_reason": ("right retake reason for a planted defect", "≥ 97 %", "≥ 90 %"),
    "not_refused": ("good capture not refused", "≥ 99.5 %", "≥ 97 %"), "no_error": ("no error", "", ""),
}
"""Question, target at normal, target at hard."""


def write_cards(result: dict[str, Any]) -> None:
    """docs/cards.md, with a histogram and a confusion matrix a severity."""
    severities: dict[str, Any] = result["severities"]
    names = list(severities)
    lines = ["# Seeing the card", "", CAVEAT, "",
             f"`make evaluate-cards`, seed {result['seed']}, {_made_on(result)}. In brackets: Wilson's 95 % interval.", "",
             "| question | target: normal · hard | " + " | ".join(f"{n}, {severities[n]['captures']} good" for n in names) + " |",
             "|---|---|" + "---|" * len(names)]
    lines += answered(CARD_TITLES, severities)
    lines.append("| mean IoU | ≥ 0.990 · ≥ 0.975 | " + " | ".join(f"{severities[name]['iou_mean']:.4f}" for name in names) + " |")
    lines.append("| ms a side: locate, rectify, side and codes | 10 without codes | " + " | ".join(
        " · ".join(f"{ms:.1f}" for ms in severities[name]["ms_a_side"].values()) for name in names) + " |")
    for name in names:
        one = severities[name]
        (DOCS / f"cards-{name}.svg").write_text(bars(one["iou_histogram"], f"{name}: captures by IoU"), encoding="utf-8")
        lines += ["", f"## {name}", "", f"![IoU](cards-{name}.svg)", "", *confusion(one["confusion"]), "",
                  "Planted defects and the reasons given:", "", "| planted → given | times |", "|---|---|",
                  *(f"| {said} | {count} |" for said, count in one["reasons"].items())]
    (DOCS / "cards.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


READING_TITLES = {
    "code_small": ("small QR decoded", "≥ 99.5 %", "≥ 96 %"),
    "code_small_naive": ("the same by defaults on the whole photo", "", ""),
    "code_large_qr": ("large QRs decoded, each", "≥ 98 %", "≥ 92 %"), "code_pdf417": ("PDF417 decoded", "≥ 98 %", "≥ 90 %"),
    "code_linear": ("Code 128 decoded", "", ""), "mrz_exact": ("MRZ, three lines exact", "≥ 99.5 %", "≥ 96 %"),
    "mrz_not_wrongly_valid": ("no wrong MRZ called valid", "all", "≤ 1 in 2,000 wrong"),
    "field_curp": ("CURP exact", "≥ 99 %", "≥ 95 %"), "field_elector_key": ("clave de elector exact", "≥ 99 %", "≥ 95 %"),
    "field_section": ("sección exact", "≥ 99 %", "≥ 95 %"), "field_expiry_year": ("vigencia exact", "≥ 99 %", "≥ 95 %"),
    "names_exact": ("names exact, all three", "≥ 98 %", "≥ 93 %"),
    **{f"field_{name}": (f"{title} exact", "", "") for name, title in (
        ("birth_date", "fecha de nacimiento"), ("sex", "sexo"), ("registration_year", "año de registro"),
        ("issue_number", "número de emisión"), ("issue_year", "año de emisión"), ("state", "estado"),
        ("municipality", "municipio"), ("locality", "localidad"), ("address", "domicilio (not judged)"))},
    "forged_found": ("one forged character found (`failed` or `uncertain`)", "≥ 99 %", "≥ 97 %"),
    "forged_contradicted": ("the same, `failed`", "", ""), "forged_not_accepted": ("a forged card not accepted", "", ""),
    "no_false_contradiction": ("good support without a false contradiction", "≥ 99.7 %", "≥ 98.5 %"),
    "no_doubt": ("good support without any cross-check in doubt", "≥ 95 %", "≥ 80 %"), "no_error": ("no error", "", ""),
}
"""Question, target at normal, target at hard."""


def write_reading(result: dict[str, Any]) -> None:
    """docs/reading.md."""
    severities: dict[str, Any] = result["severities"]
    names = list(severities)
    lines = ["# Reading the card", "", CAVEAT, "",
             f"`make evaluate-readers`, seed {result['seed']}, {_made_on(result)}. In brackets: Wilson's 95 % interval.",
             "Two thirds of the supports are good; in the others one character was changed in one place",
             "(`models/specimens/edits.py`).", "",
             "| question | target: normal · hard | " + " | ".join(f"{n}, {severities[n]['supports']}" for n in names) + " |",
             "|---|---|" + "---|" * len(names)]
    edits = sorted({name for one in severities.values() for name in one["rates"] if name.startswith("forged_found_")})
    titles = READING_TITLES | {name: (f"– changed: {name.removeprefix('forged_found_')}", "", "") for name in edits}
    lines += answered(titles, severities)
    helped = [cell(severities[name]["fallback"]) for name in names]
    lines.append("| the general recogniser had to help | | " + " | ".join(helped) + " |")
    lines.append("| ms a support, median: side and codes · MRZ · fields | 4 · 3 · 8 | " + " | ".join(
        " · ".join(f"{ms:.1f}" for ms in severities[name]["ms_a_support"].values()) for name in names) + " |")
    (DOCS / "reading.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def answered(titles: Mapping[str, tuple[str, str, str]], severities: dict[str, Any]) -> list[str]:
    """One row a question that was asked: title, targets, and the rate at each severity."""
    rows = []
    for question, (title, normal, hard) in titles.items():
        rates = [one["rates"].get(question) for one in severities.values()]
        if any(rates):
            rows.append(f"| {title} | {f'{normal} · {hard}' if normal else ''} | " + " | ".join(map(cell, rates)) + " |")
    return rows


def confusion(counts: dict[str, int]) -> list[str]:
    """The confusion matrix as a table: rows are the truth, columns what was answered."""
    pairs = [tuple(key.split(" → ")) for key in counts]
    truths, answers = sorted({truth for truth, _ in pairs}), sorted({answer for _, answer in pairs})
    return ["| model | " + " | ".join(answers) + " |", "|---|" + "---|" * len(answers),
            *(f"| {truth} | " + " | ".join(str(counts.get(f"{truth} → {answer}", "")) for answer in answers) + " |"
              for truth in truths)]


def cell(rate: dict[str, Any] | None) -> str:
    if rate is None or rate["rate"] is None:
        return "–"
    return f"{rate['hits']}/{rate['trials']} = {100 * rate['rate']:.1f} % [{100 * rate['low95']:.1f}, {100 * rate['high95']:.1f}]"


def bars(values: dict[str, float], title: str) -> str:
    """A horizontal bar chart as SVG text."""
    longest = max(values.values())
    rows = []
    for place, (name, value) in enumerate(values.items()):
        y, length = 40 + place * BAR, (WIDTH - LEFT - 90) * value / longest
        rows.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
                    f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{BAR - 6}" fill="#2a7f62"/>'
                    f'<text x="{LEFT + length + 6:.1f}" y="{y + 15}">{value:.1f}</text>')
    height = 50 + len(values) * BAR
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/><text x="12" y="24" font-size="15">{escape(title)}</text>'
            + "".join(rows) + "</svg>\n")


def _order(question: str) -> tuple[int, str]:
    names = list(TITLES)
    return (names.index(question), "") if question in names else (len(names), question)


def _made_on(result: dict[str, Any]) -> str:
    return f"{result['machine']['cpu']}, {result['machine']['cores']} cores, commit {result['commit']}, {result['made'][:10]}"


if __name__ == "__main__":
    main()
