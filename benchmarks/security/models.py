"""ONNX files that want more than to be a network: each is refused even where its SHA-256 is the manifest's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, SparseTensorProto, TensorProto, helper, numpy_helper

HUGE = 1 << 40
"""Elements: four terabytes of float32."""


def hostile_models(outside: str) -> Mapping[str, tuple[bytes, str]]:
    """By what each wants: the file's bytes, and a word of the refusal. `outside`: a file that exists and that none may read."""
    return {
        "tensor in a file beside it": (_model([_external("tensors.bin")]), "another file"),
        "tensor in an absolute path": (_model([_external(outside)]), "another file"),
        "tensor up the folders": (_model([_external("../" * 12 + outside.lstrip("/"))]), "another file"),
        "location written after its value": (_value_first(_model([_external(outside)])), "another file"),
        "only the mark of another file": (_model([_marked()]), "another file"),
        "sparse tensor in another file": (_sparse(outside), "another file"),
        "constant in another file": (_constant(outside), "another file"),
        "branch with a tensor in another file": (_branch(outside), "another file"),
        "function with a tensor in another file": (_function(outside), "another file"),
        "operator of another domain": (_model([], [helper.make_node("Run", ["x"], ["y"], domain="evil.example")],
                                              [helper.make_opsetid("evil.example", 1)]), "domain"),
        "loop without end": (_loop(), "loop"),
        "initialiser that says it is huge": (_model([_huge()]), "does not load"),
        "two inputs": (_two_inputs(), "inputs"),
        "another dtype than the manifest's": (_model([], kind=TensorProto.INT64), "not what the manifest says"),
        "another shape than the manifest's": (_model([], shape=["N", 4]), "not what the manifest says"),
        "graphs in graphs in graphs": (_nested(), "nested"),
        "a pickle": (pickle_of_a_command(), "does not load"),
    }


def good_model() -> bytes:
    """The same drawing with nothing hostile in it: x + x over (N, 3) float32."""
    return _model([])


def pickle_of_a_command() -> bytes:
    """What unpickling would run a command for, written by hand: `posix.system` of `true`."""
    return b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."


def _model(initialisers: list[TensorProto], nodes: list[Any] | None = None, opsets: list[Any] | None = None,
           kind: int = TensorProto.FLOAT, shape: list[Any] | None = None) -> bytes:
    """x + x, or + the first initialiser, or `nodes`."""
    second = initialisers[0].name if initialisers else "x"
    return _graph_model(helper.make_graph(
        nodes or [helper.make_node("Add", ["x", second], ["y"])], "g",
        [helper.make_tensor_value_info("x", kind, shape or ["N", 3])],
        [helper.make_tensor_value_info("y", kind, shape or ["N", 3])], initialisers), opsets)


def _graph_model(graph: Any, opsets: list[Any] | None = None, functions: list[Any] | None = None) -> bytes:
    made: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), *(opsets or [])], ir_version=8,
                                         functions=functions or [])
    return bytes(made.SerializeToString())


def _external(location: str) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def _marked() -> TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 3], data_location=TensorProto.EXTERNAL)


def _value_first(model: bytes) -> bytes:
    """The same message with the fields of the entry in the other order: protobuf reads it the same."""
    key = b"\x0a\x08location"
    at = model.index(key)
    value = model[at + len(key):at + len(key) + 2 + model[at + len(key) + 1]]
    return model[:at] + value + key + model[at + len(key) + len(value):]


def _sparse(outside: str) -> bytes:
    indices = numpy_helper.from_array(np.array([0], np.int64), "i")
    values = _external(outside)
    values.dims[:] = [1]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        sparse_initializer=[SparseTensorProto(values=values, indices=indices, dims=[1, 3])])
    return _graph_model(graph)


def _constant(outside: str) -> bytes:
    return _model([], [helper.make_node("Constant", [], ["c"], value=_external(outside)),
                       helper.make_node("Add", ["x", "c"], ["y"])])


def _branch(outside: str) -> bytes:
    one = helper.make_graph([helper.make_node("Identity", ["w"], ["b"])], "one", [],
                            [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 3])], [_external(outside)])
    chosen = numpy_helper.from_array(np.array(True), "c")
    return _model([], [helper.make_node("Constant", [], ["c"], value=chosen),
                       helper.make_node("If", ["c"], ["d"], then_branch=one, else_branch=one),
                       helper.make_node("Add", ["x", "d"], ["y"])])


def _function(outside: str) -> bytes:
    body = [helper.make_node("Constant", [], ["c"], value=_external(outside)), helper.make_node("Add", ["a", "c"], ["b"])]
    function = helper.make_function("", "Read", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    graph = helper.make_graph([helper.make_node("Read", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])])
    return _graph_model(graph, functions=[function])


def _loop() -> bytes:
    goes_on = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    same = [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Identity", ["v"], ["w"])]
    body = helper.make_graph(same, "body",
                             [helper.make_tensor_value_info("turn", TensorProto.INT64, []), goes_on,
                              helper.make_tensor_value_info("v", TensorProto.FLOAT, None)],
                             [helper.make_tensor_value_info("still", TensorProto.BOOL, []),
                              helper.make_tensor_value_info("w", TensorProto.FLOAT, None)])
    always = numpy_helper.from_array(np.array(True), "always")
    return _model([], [helper.make_node("Constant", [], ["always"], value=always),
                       helper.make_node("Loop", ["", "always", "x"], ["y"], body=body)])


def _huge() -> TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[HUGE, 3], raw_data=b"\x00" * 12)


def growing_model() -> bytes:
    """One that loads and asks for twelve terabytes when it runs: the first run, which warms up, fails."""
    size = numpy_helper.from_array(np.array([HUGE, 3], np.int64), "s")
    return _model([], [helper.make_node("Constant", [], ["s"], value=size), helper.make_node("ConstantOfShape", ["s"], ["c"]),
                       helper.make_node("Add", ["x", "c"], ["y"])])


def _two_inputs() -> bytes:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in ("x", "z")]
    return _graph_model(helper.make_graph([helper.make_node("Add", ["x", "z"], ["y"])], "g", inputs,
                                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])]))


def _nested() -> bytes:
    """Graph in attribute in node in graph, three hundred times: written by hand, since protobuf's own library refuses to."""
    inner = b""
    for _ in range(300):
        for field in (6, 5, 1):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            inner = _field(field, inner)
    return _field(7, inner)


def _field(number: int, body: bytes) -> bytes:
    length, sizes = len(body), bytearray()
    while length >= 0x80:
        sizes.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((number << 3 | 2, *sizes, length)) + body
