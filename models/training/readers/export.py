"""A trained reader as one ONNX file: uint8 lines in; best class, its probability, and that with its look-alike's per column out.

Written node by node, so that the file depends on nothing but the weights: BatchNorm folded into the convolutions,
normalisation and arg max inside the graph, the batch size free, the width free (a multiple of 4).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from models.training.readers.network import STD_FLOOR, ConvBlock, LineReader
from pipeline.networks.line_reader import LOOK_ALIKES, ReaderShape

OPSET = 17


class _Graph:
    """Nodes and constants in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolve(self, x: str, name: str, block: ConvBlock) -> str:
        """Convolution with its BatchNorm folded in, and ReLU where the block has one."""
        conv, norm = block.conv, block.norm
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        weight = (conv.weight.detach() * scale[:, None, None, None]).contiguous().numpy()
        bias = (norm.bias.detach() - norm.running_mean * scale).numpy()
        inputs = [x, self.constant(f"{name}.w", weight.astype(np.float32)), self.constant(f"{name}.b", bias.astype(np.float32))]
        pads = [conv.padding[0], conv.padding[1]] * 2
        y = self.add("Conv", inputs, f"{name}.conv", strides=list(conv.stride), pads=pads, group=conv.groups)
        return self.add("Relu", [y], f"{name}.relu") if block.active else y


def export(network: LineReader, shape: ReaderShape, path: Path) -> str:
    """Writes the file and returns its SHA-256. Outputs: classes int32 (N, W/4); probabilities and alike float32 (N, W/4)."""
    graph = _Graph()
    x = _normalised(graph)
    for index, layer in enumerate(network.trunk):
        x = graph.convolve(x, f"trunk{index}", layer)
    for index, block in enumerate(network.blocks):
        inner = graph.convolve(x, f"block{index}.depthwise", block.depthwise)
        inner = graph.convolve(inner, f"block{index}.pointwise", block.pointwise)
        x = graph.add("Relu", [graph.add("Add", [x, inner], f"block{index}.sum")], f"block{index}.out")
    weight = graph.constant("head.w", network.head.weight.detach().contiguous().numpy().astype(np.float32))
    bias = graph.constant("head.b", network.head.bias.detach().numpy().astype(np.float32))
    logits = graph.add("Conv", [x, weight, bias], "head")
    rows = graph.add("Squeeze", [logits, graph.constant("row_axis", np.array([2], np.int64))], "columns")
    soft = graph.add("Softmax", [rows], "soft", axis=1)
    graph.add("ReduceMax", [soft], "probabilities", axes=[1], keepdims=0)
    best = graph.add("ArgMax", [rows], "best", axis=1, keepdims=0)
    graph.add("Cast", [best], "classes", to=TensorProto.INT32)
    _with_look_alikes(graph, soft, best, shape.alphabet)
    model = helper.make_model(helper.make_graph(
        graph.nodes, shape.net.value,
        [helper.make_tensor_value_info("lines", TensorProto.UINT8, ["n", shape.height, "width"])],
        [helper.make_tensor_value_info("classes", TensorProto.INT32, ["n", "columns"]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", "columns"]),
         helper.make_tensor_value_info("alike", TensorProto.FLOAT, ["n", "columns"])],
        graph.constants), opset_imports=[helper.make_opsetid("", OPSET)], producer_name="apoyo", ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _with_look_alikes(graph: _Graph, soft: str, best: str, alphabet: str) -> None:
    """The output `alike`: the best class's probability and its look-alike's; a class without one has its own alone."""
    partner, has_one = np.arange(len(alphabet) + 1), np.zeros(len(alphabet) + 1, np.float32)
    for pair in LOOK_ALIKES:
        one, other = (alphabet.index(symbol) + 1 for symbol in pair)
        partner[[one, other]], has_one[[one, other]] = [other, one], 1.0
    axis = graph.constant("class_axis", np.array([1], np.int64))
    like = graph.add("Gather", [graph.constant("partner", partner), best], "like")
    chance = graph.add("GatherElements", [soft, graph.add("Unsqueeze", [like, axis], "like_row")], "like_chance", axis=1)
    counted = graph.add("Gather", [graph.constant("has_partner", has_one), best], "like_counts")
    added = graph.add("Mul", [graph.add("Squeeze", [chance, axis], "like_flat"), counted], "like_added")
    graph.add("Add", ["probabilities", added], "alike")


def _normalised(graph: _Graph) -> str:
    """Each line to mean 0 and deviation about 1, as `network.normalise` does."""
    x = graph.add("Cast", ["lines"], "float", to=TensorProto.FLOAT)
    x = graph.add("Unsqueeze", [x, graph.constant("channel_axis", np.array([1], np.int64))], "grey")
    mean = graph.add("ReduceMean", [x], "mean", axes=[2, 3], keepdims=1)
    centred = graph.add("Sub", [x, mean], "centred")
    square = graph.add("Mul", [centred, centred], "square")
    std = graph.add("Sqrt", [graph.add("ReduceMean", [square], "variance", axes=[2, 3], keepdims=1)], "std")
    floor = graph.add("Add", [std, graph.constant("floor", np.array(STD_FLOOR, np.float32))], "floored")
    return graph.add("Div", [centred, floor], "normalised")
