"""Which plan a machine gets, and what is refused rather than done on the CPU unsaid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.domain.plan import CPU_SIZES, Device, Machine, Place, Wish, choose_plan
from pipeline.errors import Misconfigured
from pipeline.machine import visible_gpus

ROOT = Path(__file__).parents[2]
CPU, CUDA, TENSORRT = Device
ALL = frozenset(Device)
LAPTOP = Machine(2, (), frozenset({CPU}))
NODE = Machine(16, ("NVIDIA H100 80GB HBM3",), ALL)
TWO_GPUS = Machine(32, ("NVIDIA L4", "NVIDIA L4"), ALL)
NO_CUDA = Machine(16, ("NVIDIA L4",), frozenset({CPU}))
UP_TO_8 = (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("machine", "wish", "wanted"),
    [
        (LAPTOP, Wish(2), (Place.LOCAL, CPU, 2, 0, CPU_SIZES)),
        (LAPTOP, Wish(2, Place.REMOTE), (Place.REMOTE, CPU, 1, 1, UP_TO_8)),
        (Machine(1, (), frozenset({CPU})), Wish(1, Place.REMOTE), (Place.REMOTE, CPU, 1, 1, UP_TO_8)),
        (NODE, Wish(16), (Place.LOCAL, CUDA, 16, 0, UP_TO_8)),
        (NODE, Wish(16, Place.REMOTE), (Place.REMOTE, CUDA, 15, 1, UP_TO_8)),
        (NODE, Wish(8, Place.REMOTE, largest_batch=4), (Place.REMOTE, CUDA, 8, 1, (1, 2, 4))),
        (NODE, Wish(16, device=CPU), (Place.LOCAL, CPU, 16, 0, CPU_SIZES)),
        (NODE, Wish(16, device=TENSORRT), (Place.LOCAL, TENSORRT, 16, 0, UP_TO_8)),
        (TWO_GPUS, Wish(32), (Place.LOCAL, CUDA, 32, 0, UP_TO_8)),
        (TWO_GPUS, Wish(32, Place.REMOTE), (Place.REMOTE, CUDA, 30, 2, UP_TO_8)),
        (TWO_GPUS, Wish(32, Place.REMOTE, servers=1), (Place.REMOTE, CUDA, 31, 1, UP_TO_8)),
        (NO_CUDA, Wish(16), (Place.LOCAL, CPU, 16, 0, CPU_SIZES)),
    ],
)
def test_the_plan_of_a_machine(machine: Machine, wish: Wish, wanted: tuple[object, ...]) -> None:
    plan = choose_plan(machine, wish)
    assert (plan.place, plan.device, plan.workers, plan.servers, plan.batch_sizes) == wanted
    assert plan.workers + plan.servers <= max(machine.cores, 2)


@pytest.mark.parametrize(
    ("machine", "wish", "server", "worker"),
    [
        (LAPTOP, Wish(2), 0, 0),
        (LAPTOP, Wish(2, Place.REMOTE), 0, 0),
        (NODE, Wish(16, device=CPU), 0, 0),
        (NODE, Wish(16), 1, 0.0625),
        (NODE, Wish(16, Place.REMOTE), 1, 0),
        (NODE, Wish(16, Place.REMOTE, gpu_jpeg=True), 0.5, 0.0333),
        (NODE, Wish(16, device=CPU, gpu_jpeg=True), 0, 0.0625),
        (TWO_GPUS, Wish(32), 1, 0.0625),
    ],
)
def test_gpus_are_shared_out(machine: Machine, wish: Wish, server: float, worker: float) -> None:
    """All who use a GPU fit on those there are."""
    plan = choose_plan(machine, wish)
    assert (plan.gpu_a_server, plan.gpu_a_worker) == (server, worker)
    assert plan.servers * plan.gpu_a_server + plan.workers * plan.gpu_a_worker <= plan.gpus <= len(machine.gpus)


def test_a_gpu_that_cannot_be_used_is_said() -> None:
    assert any("NVIDIA L4" in reason and "onnxruntime-gpu" in reason for reason in choose_plan(NO_CUDA, Wish(16)).because)


@pytest.mark.parametrize(
    ("machine", "wish", "code"),
    [
        (LAPTOP, Wish(2, device=CUDA), "plan_no_gpu"),
        (LAPTOP, Wish(2, gpu_jpeg=True), "plan_gpu_jpeg"),
        (NO_CUDA, Wish(16, device=CUDA), "plan_no_provider"),
        (NODE, Wish(16, Place.REMOTE, servers=2), "plan_servers"),
        (NODE, Wish(16, largest_batch=12), "plan_batch"),
    ],
)
def test_what_a_machine_cannot_do_is_refused(machine: Machine, wish: Wish, code: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        choose_plan(machine, wish)
    assert refused.value.code == code


def test_gpus_are_those_whose_device_files_are_here(tmp_path: Path) -> None:
    devices, driver = tmp_path / "dev", tmp_path / "gpus"
    devices.mkdir()
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "null"):
        (devices / name).touch()
    assert visible_gpus(driver, devices) == ("NVIDIA GPU 0",)
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (driver / bus).mkdir(parents=True)
        (driver / bus / "information").write_text("Model: \t\t NVIDIA L4\nIRQ:   \t\t 16\n")
    assert visible_gpus(driver, devices) == ("NVIDIA GPU 0",), "a container that was given one of two"
    (devices / "nvidia1").touch()
    assert visible_gpus(driver, devices) == ("NVIDIA L4", "NVIDIA L4")


@pytest.mark.skipif(bool(visible_gpus()), reason="here is a GPU, and ONNX Runtime is asked what it can do with it")
def test_without_a_gpu_a_plan_needs_no_runtime() -> None:
    """The supervisor chooses it, and runs no network."""
    program = ("import sys; from pipeline.settings import Settings; from pipeline.wiring import service_plan; "
               "service_plan(Settings()); sys.exit('onnxruntime' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_the_command_shows_the_plan_and_refuses_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APOYO_NETWORKS__PLACE", "remote")
    monkeypatch.setenv("APOYO_NETWORKS__DEVICE", "cpu")
    shown = CliRunner().invoke(app, ["plan", "--json"])
    plan = json.loads(shown.stdout)["plan"]
    assert (plan["place"], plan["device"], plan["servers"]) == ("remote", "cpu", 1)
    monkeypatch.setenv("APOYO_NETWORKS__LARGEST_BATCH", "12")
    refused = CliRunner().invoke(app, ["plan"])
    assert isinstance(refused.exception, Misconfigured)
