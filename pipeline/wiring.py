"""Builds what the entry points hand to the pipeline. The only room that knows every implementation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipeline.networks.api import Net, Networks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.domain.plan import Plan
    from pipeline.judge import Judge
    from pipeline.networks.local import LocalNetworks
    from pipeline.reexamine import Reexaminer
    from pipeline.reuse import FollowingIndex, Index
    from pipeline.settings import Settings
    from pipeline.stages.decode import JpegDecoder
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


def service_plan(settings: Settings) -> Plan:
    """The plan of the service on this machine. Raises `Misconfigured` for what was asked for and is not here."""
    from pipeline.domain.plan import choose_plan
    from pipeline.machine import this_machine

    return choose_plan(this_machine(), settings.networks.wish(settings.worker.count))


def plan_networks(plan: Plan, settings: Settings) -> LocalNetworks:
    """What one worker of a local plan, or one server of a remote plan holds: loaded, one thread. Raises `Misconfigured`."""
    from models.registry import load_manifest
    from pipeline.domain.plan import Place
    from pipeline.networks.cuda_driver import sleep_while_waiting
    from pipeline.networks.local import LocalNetworks

    if plan.on_gpu and plan.place is Place.LOCAL:
        sleep_while_waiting()  # there are as many workers as cores; a server has its core to itself
    networks = LocalNetworks(load_manifest().weights, 1, plan.device, plan.batch_sizes,
                             graphs=plan.graphs, engines=settings.storage.data_dir / "engines")
    networks.warm(net for net in Net if net not in ON_DEMAND)
    return networks


def known_shapes() -> Mapping[Net, Sequence[tuple[int, ...]]]:
    """The shapes of one item that most supports need, by network: what a GPU is warmed with."""
    from pipeline.networks import card_model, face_recogniser, line_reader, locator, presentation
    from pipeline.stages import match_face

    faces = (match_face.CARD_SIZE, match_face.GHOST_SIZE, match_face.LADDER[0][0])
    return {
        Net.LOCATOR: [(locator.HEIGHT, locator.WIDTH, 3)],
        Net.CARD_MODEL: [(card_model.HEIGHT, card_model.WIDTH, 3)],
        Net.PRESENTATION: [(presentation.HEIGHT, presentation.WIDTH, 3)],
        Net.FACE_DETECTOR: [(3, height, width) for width, height in faces],
        Net.FACE_RECOGNISER: [(3, face_recogniser.SIDE, face_recogniser.SIDE)],
        **{shape.net: [(shape.height, width) for width in shape.widths] for shape in (line_reader.MRZ, line_reader.FIELDS)},
    }


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


def jpeg_decoder(*, gpu: bool) -> JpegDecoder | None:
    """What decodes JPEGs; None: the CPU. Raises `Misconfigured` where the GPU's is not installed."""
    from pipeline.networks.gpu_jpeg import GpuJpeg

    return GpuJpeg() if gpu else None


def service_judge(settings: Settings, open_networks: Callable[[], Networks]) -> Judge:
    """The two halves of the job, on one thread. Raises `Misconfigured`."""
    from models.registry import load_calibration, load_templates
    from pipeline.decide import decide
    from pipeline.electoral_roll import NoRoll
    from pipeline.judge import Judge
    from pipeline.verify import examine

    pin_threads(1)
    see = partial(examine, templates=load_templates(), jpeg=jpeg_decoder(gpu=settings.networks.gpu_jpeg))
    return Judge(see, decide, open_networks(), load_calibration(), NoRoll())


def service_worker(settings: Settings, name: str, guard: Guard, index: Index, open_networks: Callable[[], Networks]) -> Worker:
    """A worker of the service: storage opened, networks warm, on one thread. Raises `Misconfigured`."""
    from pipeline.records.storage import open_storage
    from pipeline.worker import Worker

    judge = service_judge(settings, open_networks)
    return Worker(open_storage(settings.storage), judge, settings.worker, name, guard, index)


def reexaminer(settings: Settings, actor: str, *, kept_policy: bool) -> Reexaminer:
    """Judges again by this process' own networks; its index reads all prints first. Raises `Misconfigured`, `Unavailable`."""
    from pipeline.domain.reuse import Limits
    from pipeline.records.storage import open_storage
    from pipeline.reexamine import Reexaminer
    from pipeline.reuse import FollowingIndex, ReuseSearch

    storage, judge = open_storage(settings.storage), service_judge(settings, local_networks)
    limits = Limits.of(judge.calibration)
    search = ReuseSearch(storage, limits, FollowingIndex(storage, limits))
    return Reexaminer(storage, judge, search, actor, kept_policy=kept_policy)
