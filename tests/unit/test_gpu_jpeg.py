"""The decoder that a plan may put on a GPU: the same code here on its library's CPU decoder, and its reduction on ONNX Runtime's."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.domain.plan import Device
from pipeline.networks.gpu_jpeg import GpuJpeg, mean_of_blocks, reduced
from pipeline.networks.session import PointerSession
from pipeline.stages.decode import decode

FACTORS = (1, 2, 4, 8)


def picture(height: int, width: int) -> np.ndarray:
    """Smooth colours, as a photograph has at the scale of a pixel, so that decoders agree on them."""
    rng = np.random.default_rng(7)
    small = rng.integers(0, 256, (height // 16 + 2, width // 16 + 2, 3)).astype(np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def jpeg_of(image: np.ndarray, mode: str = "RGB", orientation: int = 1) -> bytes:
    out, exif = io.BytesIO(), Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(np.ascontiguousarray(image[..., ::-1])).convert(mode).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def decoder() -> GpuJpeg:
    return GpuJpeg(gpu=False)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("height", "width", "long_side"), [(480, 640, 640), (480, 640, 320), (481, 645, 320), (1000, 600, 120)])
def test_a_view_is_the_cpus_but_for_rounding(decoder: GpuJpeg, height: int, width: int, long_side: int, orientation: int) -> None:
    data = jpeg_of(picture(height, width), orientation=orientation)
    on_cpu, with_decoder = decode(data, long_side), decode(data, long_side, jpeg=decoder)
    assert with_decoder.view.shape == on_cpu.view.shape
    assert (with_decoder.scale, with_decoder.width, with_decoder.height) == (on_cpu.scale, on_cpu.width, on_cpu.height)
    difference = np.abs(with_decoder.view.astype(int) - on_cpu.view.astype(int))[:-1, :-1]  # the last block may be a part of one
    assert difference.mean() < 1.5
    assert np.percentile(difference, 99) <= 8


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_kinds_of_jpeg_decode_too(decoder: GpuJpeg, mode: str) -> None:
    data = jpeg_of(picture(240, 320), mode)
    difference = np.abs(decode(data, jpeg=decoder).view.astype(int) - decode(data).view.astype(int))
    assert difference.mean() < 1.5


def test_what_the_decoder_does_not_take_is_the_cpus() -> None:
    data = jpeg_of(picture(240, 320))
    np.testing.assert_array_equal(decode(data, jpeg=lambda _data, _factor: None).view, decode(data).view)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(("height", "width"), [(64, 96), (67, 93)])
def test_the_graph_on_the_device_reduces_as_the_host_does(factor: int, height: int, width: int) -> None:
    image = np.random.default_rng(factor).integers(0, 256, (height, width, 3), dtype=np.uint8)
    wanted = reduced(image, factor)
    assert wanted.shape == (-(-height // factor), -(-width // factor), 3)
    found = np.zeros_like(wanted)
    PointerSession(mean_of_blocks(factor), Device.CPU).run(image.ctypes.data, image.shape, found)
    whole = slice(0, height // factor), slice(0, width // factor)
    assert np.abs(found[whole].astype(int) - wanted[whole].astype(int)).max() <= 1
    blocks = image[:height // factor * factor, :width // factor * factor].reshape(height // factor, factor, width // factor, factor, 3)
    assert np.abs(found[whole] - blocks.mean(axis=(1, 3))).max() <= 0.5 + 1e-3
