"""JPEG decoded and reduced on the GPU (nvImageCodec: its hardware engine where the chip has one), as an option of the plan.

What it does not take (other kinds than 8-bit colour or grey, damage, no memory) is None, and the CPU decodes it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pipeline.errors import Misconfigured
from pipeline.networks import cuda_driver
from pipeline.networks.api import Image

HOST_THREADS = 1
"""Of the decoder: the plan counts a worker as one."""


class GpuJpeg:
    """Implements `pipeline.stages.decode.JpegDecoder`. One a process; not for several threads at once."""

    def __init__(self, *, gpu: bool = True) -> None:
        """gpu False: the same code on the library's CPU decoder, for tests. Raises `Misconfigured`."""
        try:
            from nvidia import nvimgcodec
        except ImportError as error:
            raise Misconfigured("JPEGs were to be decoded on the GPU, and nvidia-nvimgcodec is not installed",
                                code="no_gpu_jpeg") from error
        self._library: Any = nvimgcodec
        if gpu:
            cuda_driver.sleep_while_waiting()
        kinds = nvimgcodec.BackendKind
        names = (kinds.HW_GPU_ONLY, kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU) if gpu else (kinds.CPU_ONLY,)
        device = 0 if gpu else nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY
        self._decoder: Any = nvimgcodec.Decoder(
            device_id=device, max_num_cpu_threads=HOST_THREADS, backends=[nvimgcodec.Backend(name) for name in names])
        self._wanted = nvimgcodec.DecodeParams(
            apply_exif_orientation=False, color_spec=nvimgcodec.ColorSpec.SRGB, sample_format=nvimgcodec.SampleFormat.I_BGR)
        self._reducers: dict[int, Any] = {}
        self._gpu = gpu

    def __call__(self, data: bytes, factor: int) -> Image | None:
        """A JPEG's bytes as stored (no orientation applied) -> (ceil(H / factor), ceil(W / factor), 3) BGR uint8; None where
        the GPU cannot. factor: 1, 2, 4 or 8; each pixel is the mean of the block it replaces."""
        found = self._decoder.decode(self._library.CodeStream(data), params=self._wanted)
        if found is None or found.dtype != np.uint8 or found.shape[2] != 3:
            return None
        padded = found.strides is not None and found.strides[0] != found.shape[1] * 3
        if not self._gpu or factor == 1 or padded:
            return reduced(np.asarray(found.cpu()), factor)
        cuda_driver.wait_for_all()  # the decoder's stream is not ONNX Runtime's
        pointer = found.__cuda_array_interface__["data"][0]
        height, width = (-(-side // factor) for side in found.shape[:2])
        picture = np.empty((height, width, 3), np.uint8)
        self._reducer(factor).run(pointer, found.shape, picture)
        return picture

    def _reducer(self, factor: int) -> Any:
        if factor not in self._reducers:
            from pipeline.networks.session import PointerSession

            self._reducers[factor] = PointerSession(mean_of_blocks(factor))
        return self._reducers[factor]


def reduced(picture: Image, factor: int) -> Image:
    """The mean of each whole block; what is left of one at the right and lower edge is the mean of its own pixels."""
    if factor == 1:
        return np.ascontiguousarray(picture)
    height, width = (-(-side // factor) for side in picture.shape[:2])
    down, right = height * factor - picture.shape[0], width * factor - picture.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE) if down or right else picture
    return np.asarray(cv2.resize(padded, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def mean_of_blocks(factor: int) -> bytes:
    """An ONNX graph: (H, W, 3) uint8 -> (ceil(H / factor), ceil(W / factor), 3) uint8, each the mean of a block."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "first"], ["batch"]),
        helper.make_node("AveragePool", ["batch"], ["means"], kernel_shape=[factor] * 2, strides=[factor] * 2, ceil_mode=1),
        helper.make_node("Squeeze", ["means", "first"], ["small"]),
        helper.make_node("Transpose", ["small"], ["pixels"], perm=[1, 2, 0]),
        helper.make_node("Add", ["pixels", "half"], ["rounded"]),  # a cast to integers cuts off
        helper.make_node("Cast", ["rounded"], ["reduced"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes, "mean_of_blocks",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["H", "W", 3])],
        [helper.make_tensor_value_info("reduced", TensorProto.UINT8, ["h", "w", 3])],
        [helper.make_tensor("first", TensorProto.INT64, [1], [0]), helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
