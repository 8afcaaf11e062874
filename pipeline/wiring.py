"""Builds what the entry points hand to the pipeline. The only room that knows every implementation."""

from __future__ import annotations

from pipeline.networks.api import Networks


def local_networks(threads: int = 1) -> Networks:
    """All networks of the manifest in this process, on the CPU; each loads at its first run.

    threads: intra-op threads of each network. Raises `Misconfigured` where the manifest cannot be read; a weight that
    is missing shows at the first run of its network.
    """
    from models.registry import load_manifest
    from pipeline.networks.local import LocalNetworks

    return LocalNetworks(load_manifest().weights, threads)


def pin_threads(threads: int) -> None:
    """Bounds OpenCV's own threads in this process; the networks are bounded where they load (design, decision 3)."""
    import cv2

    cv2.setNumThreads(threads)
