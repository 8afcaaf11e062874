"""Rewrites of ONNX graphs that leave every output equal: each takes a model, changes it in place, and says nothing else.

They turn the block-quantised graphs that packages carry into plain float32 graphs that ONNX Runtime loads and runs fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Constants = dict[str, NDArray[Any]]


def fold_dequantised(model: onnx.ModelProto) -> None:
    """Computes every `DequantizeLinear` over constants, and the `Reshape` behind it, into float32 initialisers.

    ONNX: y = (x - zero_point) * scale; with `block_size` b, scale and zero point repeat b times along `axis`.
    """
    graph = model.graph
    constants: Constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    computed: Constants = {}
    kept = []
    for node in graph.node:
        value = _evaluate(node, constants)
        if value is None:
            kept.append(node)
        else:
            constants[node.output[0]] = computed[node.output[0]] = value
    _replace_nodes(graph, kept)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in computed.items())
    drop_unused(model)


def _evaluate(node: onnx.NodeProto, constants: Constants) -> NDArray[Any] | None:
    """The node's output where it is one of the two kinds and all its inputs are constant."""
    if node.op_type not in ("DequantizeLinear", "Reshape") or not all(name in constants for name in node.input):
        return None
    inputs = [constants[name] for name in node.input]
    if node.op_type == "Reshape":
        return np.ascontiguousarray(inputs[0].reshape(inputs[1].astype(np.int64).tolist()))
    attributes = {item.name: item.i for item in node.attribute}
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    scale, zero = inputs[1], inputs[2]
    if block:
        length = inputs[0].shape[axis]
        scale = np.repeat(scale, block, axis=axis).take(range(length), axis=axis)
        zero = np.repeat(zero, block, axis=axis).take(range(length), axis=axis)
    elif scale.ndim == 1:
        shape = [1] * inputs[0].ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (inputs[0].astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)


def rewrite_prelu(model: onnx.ModelProto) -> None:
    """PRelu(x) = slope * x + (1 - slope) * Relu(x), each factor a depthwise 1 x 1 convolution.

    Equal but for rounding. ONNX Runtime's PRelu on the CPU branches on each sign, and a product with a constant a channel
    leaves the blocked layout that its convolutions work in: everything is then reordered twice, which costs more than the
    convolutions themselves. These four stay in that layout.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope_name), (y,) = node.input, node.output
        slope = numpy_helper.to_array(constants[slope_name]).reshape(-1, 1, 1, 1)
        relu, bent, straight = f"{y}/relu", f"{y}/bent", f"{y}/straight"
        graph.initializer.append(numpy_helper.from_array(slope, f"{y}/slope"))
        graph.initializer.append(numpy_helper.from_array(1 - slope, f"{y}/rest"))
        nodes += [
            helper.make_node("Relu", [x], [relu], name=relu),
            helper.make_node("Conv", [relu, f"{y}/rest"], [bent], name=bent, group=len(slope), kernel_shape=[1, 1]),
            helper.make_node("Conv", [x, f"{y}/slope"], [straight], name=straight, group=len(slope), kernel_shape=[1, 1]),
            helper.make_node("Add", [straight, bent], [y], name=f"{y}/prelu"),
        ]
    _replace_nodes(graph, nodes)
    drop_unused(model)


def remove_dropout(model: onnx.ModelProto) -> None:
    """Dropout does nothing at inference: whoever read its output reads its input."""
    renamed = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Dropout"}
    kept = [node for node in model.graph.node if node.op_type != "Dropout"]
    for node in kept:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    _replace_nodes(model.graph, kept)
    drop_unused(model)


def free_batch(model: onnx.ModelProto, dynamic: dict[int, str]) -> None:
    """Lets the batch (and the input dimensions in `dynamic`: index to name) vary.

    Constant `Reshape` targets that begin with 1 become 0 ("as it comes"): the graph must reshape within an item only.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            target = numpy_helper.to_array(constants[node.input[1]]).copy()
            if target.size and target[0] == 1:
                target[0] = 0
                constants[node.input[1]].CopyFrom(numpy_helper.from_array(target, node.input[1]))
    names = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name not in names:
            for index, name in {0: "N", **dynamic}.items():
                value.type.tensor_type.shape.dim[index].dim_param = name
    for value in graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "N"
        if dynamic:  # the other lengths follow the input's: leave them open
            for dim in list(value.type.tensor_type.shape.dim)[1:-1]:
                dim.Clear()
    del graph.value_info[:]


def drop_unused(model: onnx.ModelProto) -> None:
    """Removes constants that nobody reads, and graph inputs that are constants or that nobody reads.

    An initialiser that is also an input counts as changeable, so ONNX Runtime would not fold it.
    """
    graph = model.graph
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    nodes = [node for node in graph.node if node.op_type != "Constant" or node.output[0] in used]
    initialisers = [tensor for tensor in graph.initializer if tensor.name in used]
    names = {tensor.name for tensor in initialisers}
    inputs = [value for value in graph.input if value.name in used and value.name not in names]
    _replace_nodes(graph, nodes)
    del graph.initializer[:]
    graph.initializer.extend(initialisers)
    del graph.input[:]
    graph.input.extend(inputs)


def serialise(model: onnx.ModelProto) -> bytes:
    """The model's bytes, the same for the same graph: checked, and without what names the machine that wrote it."""
    model.producer_name, model.producer_version, model.doc_string = "apoyo", "", ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    copies = []
    for node in nodes:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copies.append(copy)
    del graph.node[:]
    graph.node.extend(copies)


STEPS: dict[str, Callable[[onnx.ModelProto], None]] = {
    "fold": fold_dequantised,
    "prelu": rewrite_prelu,
    "dropout": remove_dropout,
    "batch": lambda model: free_batch(model, {}),
    "batch_and_size": lambda model: free_batch(model, {2: "H", 3: "W"}),
}
"""The rewrites by the names that the manifest's `steps` use, in the order that it gives."""
