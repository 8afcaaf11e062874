"""Builds what the entry points hand to the pipeline. The only room that knows every implementation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.networks.api import Net, Networks

if TYPE_CHECKING:
    from pipeline.reuse import FollowingIndex, Index
    from pipeline.settings import Settings
    from pipeline.worker import Guard, Worker

ON_DEMAND = frozenset({Net.PPOCR_READER, Net.PPOCR_DETECTOR})
"""Networks of the last steps of a ladder, which most supports never reach: loaded by the first that does."""


def local_networks(threads: int = 1) -> Networks:
    """All networks of the manifest in this process, on the CPU; each loads at its first run.

    threads: intra-op threads of each network. Raises `Misconfigured` where the manifest cannot be read; a weight that
    is missing shows at the first run of its network.
    """
    from models.registry import load_manifest
    from pipeline.networks.local import LocalNetworks

    return LocalNetworks(load_manifest().weights, threads)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT = 256 << 20, 32 << 20
"""What a process may keep of what it freed, and the largest block that is kept (glibc takes no more than 32 MiB)."""


def pin_threads(threads: int) -> None:
    """Settles a process that examines: OpenCV's own threads bounded (the networks' are bounded where they load), and memory kept.

    Every support needs the same few blocks of 5 to 15 MB. glibc would map and unmap each anew, and every page's first
    touch enters the kernel: so it is told to keep them. Elsewhere than on glibc nothing changes.
    """
    import ctypes

    import cv2

    cv2.setNumThreads(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def service_index(settings: Settings) -> FollowingIndex:
    """The index of fingerprints, empty until it follows. Raises `Misconfigured`, `Unavailable`."""
    from models.registry import load_calibration
    from pipeline.domain.reuse import Limits
    from pipeline.records.storage import open_storage
    from pipeline.reuse import FollowingIndex

    return FollowingIndex(open_storage(settings.storage), Limits.of(load_calibration()))


def service_worker(settings: Settings, name: str, guard: Guard, index: Index) -> Worker:
    """A worker of the service: storage opened, networks loaded and run once, on one thread. Raises `Misconfigured`."""
    from models.registry import load_calibration, load_manifest, load_templates
    from pipeline.decide import decide
    from pipeline.electoral_roll import NoRoll
    from pipeline.judge import Judge
    from pipeline.networks.local import LocalNetworks
    from pipeline.records.storage import open_storage
    from pipeline.verify import examine
    from pipeline.worker import Worker

    pin_threads(1)
    weights = load_manifest().weights
    networks = LocalNetworks(weights, threads=1)
    networks.warm(Net(name) for name in weights if name not in ON_DEMAND)
    judge = Judge(partial(examine, templates=load_templates()), decide, networks, load_calibration(), NoRoll())
    return Worker(open_storage(settings.storage), judge, settings.worker, name, guard, index)
