"""What the door takes, decoded as a worker decodes it, in a process whose memory and time are bounded.

`python -m benchmarks.security.decoding` is that process: a line of JSON a picture.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.security.door import Row
from benchmarks.security.pictures import hostile_pictures
from pipeline.domain.capture import Part
from pipeline.domain.upload import check_upload
from pipeline.errors import BadPicture, BadUpload

ROOT = Path(__file__).resolve().parents[2]
ADDED_MEMORY = 512 << 20
"""What one picture may take beside a process that has drawn them all: the largest, 16 megapixels of four times 16 bits, takes
250 MB."""
CPU_SECONDS = 3.0
"""Of one picture. An honest one of 12 megapixels takes 0.03; a worker's attempt ends at 20."""
WHOLE_SECONDS = 120


def decode_all() -> Iterator[Row]:
    """One row a picture. A process that dies leaves its last picture without a row, and says so in one of its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.security.decoding"], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=WHOLE_SECONDS)
    for line in done.stdout.splitlines():
        told = json.loads(line)
        quick = told["seconds"] < CPU_SECONDS
        yield Row(told["name"], f"{told['said']}, {told['seconds']:.2f} s", bool(told["as_meant"]) and quick)
    missing = len(hostile_pictures()) - len(done.stdout.splitlines())
    yield Row("the process lives, whole and within its memory", f"exit {done.returncode}, {missing} missing",
              done.returncode == 0 and missing == 0)


def main() -> None:
    import cv2

    from pipeline.stages.decode import decode

    cv2.setNumThreads(1)
    pictures = hostile_pictures()
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmSize"):
            most = int(line.split()[1]) * 1024 + ADDED_MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for name, hostile in pictures.items():
        said: str | None = None
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        try:
            check_upload(Part(hostile.part), hostile.data)
        except BadUpload as refusal:
            said = refusal.code
        as_meant = said == hostile.code
        if said is None:
            try:
                said = "x".join(map(str, decode(hostile.data).view.shape[1::-1]))
            except BadPicture as refusal:
                said = refusal.code
        seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - begun
        sys.stdout.write(json.dumps({"name": name, "said": said, "as_meant": as_meant, "seconds": seconds}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
