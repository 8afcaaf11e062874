"""docs/security.md from benchmarks/results/security.json."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.report import RESULTS

PAGE = RESULTS.parent.parent / "docs" / "security.md"
TITLES = {
    "door": "The door: hostile pictures, floods of parts and headers, no HTTP; in 3 GiB of address space",
    "decoder": "The decoder: what the door takes, in 512 MiB beside the process, at most 3 s of CPU each",
    "verify": "`apoyo verify` over folders with such pictures",
    "routes": "Every route of /openapi.json with odd paths, queries, headers and bodies (seeded)",
    "schema": "What /openapi.json describes, held against what is answered to each role (schemathesis, all its checks)",
    "absent": "An id of another's, of nothing, of one's own: what a clock sees of each",
    "parsers": "Parsers fuzzed",
    "tables": "Hostile networks, webhooks' addresses, tokens, proofs: their tests",
    "versions": "Versions at or above their floors",
    "pickle": "Nothing that runs code while it reads",
    "mutants": "Deliberate holes, caught",
}
INTRODUCTION = """\
What strangers send is thrown at what stands at the doors. Right is a clear refusal, or a picture that costs little; wrong is a
5xx, silence, a process that dies, or memory and time past their bound.

| what | tried | wrong | seconds | commit |
|---|---|---|---|---|"""
FUZZING = """
`python -m scripts.fuzz NAME --seconds N` fuzzes one for longer; by coverage once `make security` installed atheris.

## Each role against the description

| role | outcome |
|---|---|"""
ROUTES = """
## Routes

| answer | times |
|---|---|"""
ABSENT = """
## Another's id, and none

Asked in drawn order over one connection on loopback; `tests/contract/test_absent.py` counts what is done for each. The last
number is the chance that the answer takes longer than for an id of nothing: 0.5 is a coin, and one's own, which is read and
told, is the control.

| asked for | 5 % / half / 95 % of the answers came within; chance to take longer |
|---|---|"""
HOLES = """
## Deliberate holes

Each is put into a copy of the tree, where the test that is named must fail; without it the test passes.

| hole | outcome |
|---|---|"""
FOUND = """
## What was found and closed

- **One header without end**, sent before any secret is asked for, kept the server from everybody else for a quarter of a minute
  at 64 MB: the head of a request is bounded in bytes and time (`api/wire.py`).
- **A signature of 4 MB that cost a worker 8 s**, by texts or pixel data that inflate to gigabytes: a PNG is cut to its pixels
  before it is decoded (`pipeline/stages/png_pixels.py`).
- **A progressive JPEG of half a megabyte that took 500 MB**: the door counts its coefficients.
- **A tensor in another file** whose entry was written in another order passed the search for its mark, and a loop without end
  hung its process: a network's file is read field by field before the runtime reads it (`models/onnx_file.py`).
- **A small QR of the year 20** was read, and written again without its zeros: found by the fuzzer, in five seconds.
- **A process file nested thousands deep** ended its command with a traceback: it is refused by name.
- **Another phone's support was opened before it was refused**, and one that was erased was looked up twice: how long the
  answer took told an id that exists from one that does not. One statement tells them apart now, whatever it finds.
- **A description that promised what was not kept**, found by schemathesis: `Allow` of a 405 named one method of the path's
  several, the citizen's view was not among the answers of its route, and several bodies and parameters were described more
  loosely than they are read."""
BILL = """The images
list packages in `/opt/apoyo/sbom.json` (CycloneDX) and the libraries inside wheels, with the versions that their names or builds
tell, in `/opt/apoyo/native-libraries.json` (`python -m benchmarks.security.supply FILE`)."""
LIMITS = """
## What this does not show

- The decoders' own native code is not fuzzed here: libjpeg-turbo, libpng and zxing are taken as their authors test them.
- The floors are those known when `benchmarks/security/floors.toml` was written; nothing is asked of the network."""


def write_page() -> None:
    result = json.loads((RESULTS / "security.json").read_text(encoding="utf-8"))
    parts, machine = result["parts"], result["machine"]
    form = "short form" if result["short"] else "long form"
    lines = ["# Hostile input", "",
             f"`make security`, {form}, {machine['cpu']}, {machine['cores']} cores, commit {result['commit']}, "
             f"{result['made'][:10]}.", "", INTRODUCTION]
    for name, part in parts.items():
        lines.append(f"| {TITLES[name]} | {part['tried']} | {len(part['wrong'])} | {part['seconds']} | {part['commit']} |")
    wrong = [f"- {name}: {what}: {said}" for name, part in parts.items() for what, said in part["wrong"]]
    lines += ["", "## Wrong", "", *wrong] if wrong else []
    lines += ["", "## Parsers", "", "| parser | outcome |", "|---|---|", *_rows(parts["parsers"])]
    lines += [FUZZING, *_rows(parts["schema"]), ROUTES, *_rows(parts["routes"]), ABSENT, *_rows(parts["absent"])]
    lines += [HOLES, *_rows(parts["mutants"]), FOUND, "", "## Bill of materials", ""]
    libraries = result["libraries"]
    lines.append(f"{libraries['packages']} installed packages carry {libraries['shared_objects']} shared objects. {BILL}")
    PAGE.write_text("\n".join([*lines, LIMITS]) + "\n", encoding="utf-8")


def _rows(part: dict[str, Any]) -> list[str]:
    return [f"| {name} | {said} |" for name, said in part["rows"]]


if __name__ == "__main__":
    write_page()
