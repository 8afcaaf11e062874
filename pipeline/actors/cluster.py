"""Ray: one node of our own on loopback, or a cluster that is there; behind a token, and holding nothing that cannot be lost.

Ray keeps no truth here: work waits in the database, and only names of files and settings cross into actors.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.blobs.files import PRIVATE_DIR, read_or_make_secret, read_secret
from pipeline.domain.plan import Device, Machine, Plan, choose_plan
from pipeline.errors import Misconfigured
from pipeline.settings import Settings, export
from pipeline.wiring import service_plan

MAX_SOCKET_PATH = 107
"""Linux: sun_path holds 108 bytes with its terminating zero (unix(7))."""
RAY_SOCKET_TAIL = len("/session_2026-11-24_22-00-00_000000_4194304/sockets/plasma_store") + 8
"""What Ray appends to its folder for the longest socket, with some to spare."""
_COMMON = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
           "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""A driver's environment, wherever its Ray is."""


@contextmanager
def connected_ray(settings: Settings) -> Iterator[Plan]:
    """A Ray for this process while the block runs, and the plan for it: by this machine's means, or by the cluster's.

    Raises `Misconfigured` where the cluster at `ray.address` is not to be had, or the plan that was asked for.
    """
    if settings.ray.address:
        with attached_ray(settings):
            yield choose_plan(cluster_machine(), settings.networks.wish(settings.worker.count))
    else:
        plan = service_plan(settings)
        with embedded_ray(settings, plan):
            yield plan


@contextmanager
def attached_ray(settings: Settings) -> Iterator[None]:
    """Join the cluster at `settings.ray.address`, one of whose nodes is on this machine; it outlives the block.

    How many threads a worker takes is the environment of the cluster's nodes.
    """
    token = settings.ray.token_file
    read_secret(token, "the cluster's token (APOYO_RAY__TOKEN_FILE)")
    export({**_COMMON, "RAY_AUTH_TOKEN_PATH": str(token)})
    import ray  # only now: Ray reads its environment when it is imported

    try:
        ray.init(address=settings.ray.address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:  # what Ray raises for absent, deaf and malformed
        raise Misconfigured(f"no Ray cluster at {settings.ray.address}: {type(error).__name__}", code="no_ray_cluster") from error
    try:
        yield
    finally:
        ray.shutdown()


def cluster_machine() -> Machine:
    """What the nodes that are up have, as Ray counts it. Which devices their ONNX Runtime has shows when a server starts."""
    import ray

    have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus = int(have.get("GPU", 0))
    return Machine(int(have.get("CPU", 0)), (f"one of the cluster's {gpus} GPUs",) * gpus, frozenset(Device))


@contextmanager
def embedded_ray(settings: Settings, plan: Plan) -> Iterator[None]:
    """Start a one-node Ray for this process, and stop it with the block (or with this process, however it ends).

    The node has as many CPUs as there are workers, each of which runs on one thread.
    """
    folder = _ray_folder(settings.storage.data_dir)
    export(_environment(settings))
    import ray  # only now: Ray reads its environment when it is imported

    ray.init(
        address="local", num_cpus=plan.workers, num_gpus=plan.gpus, include_dashboard=False,
        log_to_driver=False, logging_level=logging.ERROR, object_store_memory=settings.ray.object_store_bytes,
        _node_ip_address="127.0.0.1", _temp_dir=str(folder), configure_logging=False)
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _environment(settings: Settings) -> dict[str, str]:
    """Set in this process before Ray starts; its node and workers inherit it. One thread a worker: the plan is workers.

    Ray takes 127.0.0.1 for a mistake and binds the machine's outer address instead, unless clusters are off: their switch is
    named for Windows and macOS, where that is the default, and works here too.
    """
    read_or_make_secret(settings.ray.token_file, lambda: secrets.token_hex(32))
    return {
        **_COMMON, "RAY_AUTH_TOKEN_PATH": str(settings.ray.token_file), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        **thread_environment(),
    }


def thread_environment() -> dict[str, str]:
    """What keeps libraries from pools of their own in a worker: the plan is workers, of one thread each."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")


def _ray_folder(data_dir: Path) -> Path:
    """A folder for this process's Ray: under the data, where its sockets' names fit, else under the system's temporary folder.

    Raises `Misconfigured` where another user has put something in that place.
    """
    root = data_dir / "ray"
    if len(str(root / str(os.getpid()))) + RAY_SOCKET_TAIL > MAX_SOCKET_PATH:
        root = Path(tempfile.gettempdir()) / f"apoyo-ray-{os.getuid()}"
    root.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Misconfigured(f"{root} is not this user's folder: remove it", code="bad_ray_folder")
    for left in root.iterdir():  # by a process that was killed
        if not Path("/proc", left.name).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = root / str(os.getpid())
    folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
    return folder
