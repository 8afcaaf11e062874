"""What this machine has that a plan is chosen by: cores, GPUs, and what the ONNX Runtime installed here can use of them."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.domain.plan import Device, Machine
from pipeline.settings import available_cores

DRIVER, DEVICES = Path("/proc/driver/nvidia/gpus"), Path("/dev")


def this_machine() -> Machine:
    """ONNX Runtime is loaded only where there is a GPU that it might use."""
    gpus = visible_gpus()
    if not gpus:
        return Machine(available_cores(), (), frozenset({Device.CPU}))
    from pipeline.networks.session import available_devices

    return Machine(available_cores(), gpus, available_devices())


def visible_gpus(driver: Path = DRIVER, devices: Path = DEVICES) -> tuple[str, ...]:
    """One name for each GPU whose device file this process can see (a container sees those it was given).

    The driver names its GPUs by bus; where it names more or fewer than there are device files, the names are left out.
    """
    files = sorted(path.name for path in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
    told = [match[1].strip() for path in sorted(driver.glob("*/information"))
            if (match := re.search(r"^Model:\s*(.+)$", path.read_text(), re.MULTILINE))]
    return tuple(told) if len(told) == len(files) else tuple(f"NVIDIA GPU {number}" for number in range(len(files)))
