"""A few drawn supports, made once a run, for tests of the whole."""

from __future__ import annotations

from pathlib import Path

from models.specimens.make import make_specimens

SEED = 4_100
"""Apart from what is trained, calibrated and benchmarked on."""
CASES = ("good", "model_d", "expired", "other_face", "no_signature", "blurred_back", "other_card_back", "no_credential")
VERDICTS = {"good": "accepted", "model_d": "rejected", "expired": "rejected", "other_face": "review", "no_signature": "retake",
            "blurred_back": "retake", "other_card_back": "review", "no_credential": "retake"}
"""What the design's contract says of each case under the demo policy."""
SUBJECTS = {"model_d": "support", "expired": "support", "other_face": "selfie", "no_signature": "signature", "blurred_back": "back",
            "other_card_back": "support", "no_credential": "front"}


def draw_cases(out: Path) -> dict[str, Path]:
    """One folder a case, easy captures 2,000 px wide."""
    folders = make_specimens(out, len(CASES), SEED, "easy", CASES, long_side=2000, jobs=2)
    return {folder.name.split("-")[1]: folder for folder in folders}
