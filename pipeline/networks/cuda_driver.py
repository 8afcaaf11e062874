"""The two calls of the CUDA driver that no library here makes for us."""

from __future__ import annotations

import ctypes
from functools import cache

from pipeline.errors import Misconfigured

_BLOCKING_SYNC = 4
"""CU_CTX_SCHED_BLOCKING_SYNC (CUDA Driver API, cuDevicePrimaryCtxSetFlags)."""


@cache
def _driver() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise Misconfigured("there is no NVIDIA driver: libcuda.so.1 does not load", code="plan_no_gpu") from error


def sleep_while_waiting() -> None:
    """From now on a thread that waits for the GPU sleeps instead of spinning: the core is another worker's meanwhile.

    Before the process' first use of the GPU. Raises `Misconfigured` without a driver.
    """
    failed = _driver().cuInit(0) or _driver().cuDevicePrimaryCtxSetFlags_v2(0, _BLOCKING_SYNC)
    if failed:
        raise Misconfigured(f"the NVIDIA driver answers with error {failed}", code="plan_no_gpu")


def wait_for_all() -> None:
    """Until all work of this thread's context is done, on whichever stream."""
    failed = _driver().cuCtxSynchronize()
    if failed:
        raise RuntimeError(f"the GPU's work ended with error {failed}")
