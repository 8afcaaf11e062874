"""What an ONNX file may hold here, read off its bytes before any runtime parses them: a plain graph, whole in itself.

The SHA-256 of the manifest says that a file is the one that was meant; this says that no such file reads another file, runs code
that is not the runtime's own, or has a length of run that depends on what it is fed. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.errors import Misconfigured

_MODEL, _TRAINING, _FUNCTION = "ModelProto", "TrainingInfoProto", "FunctionProto"
_GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE = "GraphProto", "NodeProto", "AttributeProto", "TensorProto", "SparseTensorProto"
_MESSAGES: Mapping[str, Mapping[int, str]] = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _FUNCTION: {7: _NODE, 11: _ATTRIBUTE},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
"""Which fields of which message hold which message (onnx.proto, IR version 13), as far as tensors and nodes lie in them."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_OP_TYPE, _DOMAIN = 4, 7
DOMAINS = frozenset({b"", b"ai.onnx"})
"""The standard operators. Others are another library's code."""
ENDLESS = frozenset({b"Loop", b"Scan"})
"""Operators that run as often as their input says."""
MAX_DEPTH = 16
"""Of messages in messages: a plain graph needs four."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BYTES = 10

Value = int | memoryview


def check_onnx(name: str, data: bytes) -> None:
    """Raises `Misconfigured` for a tensor kept in another file, an operator outside the standard ones, a loop, or bytes that
    are no protobuf. Time and memory are linear in the file's messages; a tensor's own bytes are not read."""
    _check(name, _MODEL, memoryview(data), 0)


def _check(name: str, message: str, data: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Misconfigured(f"{name} is nested deeper than any network: only plain graphs are loaded")
    inner = _MESSAGES[message]
    for field, value in _fields(name, data):
        if isinstance(value, memoryview) and field in inner:
            _check(name, inner[field], value, depth + 1)
        elif message == _TENSOR and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            raise Misconfigured(f"{name} keeps tensors in another file: only single-file ONNX is loaded")
        elif message == _NODE and field == _DOMAIN and bytes(_text(value)) not in DOMAINS:
            raise Misconfigured(f"{name} has an operator of another domain than ONNX's own: only standard operators are loaded")
        elif message == _NODE and field == _OP_TYPE and bytes(_text(value)) in ENDLESS:
            raise Misconfigured(f"{name} has a loop: only graphs of a fixed length are loaded")


def _text(value: Value) -> memoryview | bytes:
    return b"?" if isinstance(value, int) else value


def _fields(name: str, data: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, as protobuf's encoding lays them out."""
    at = 0
    while at < len(data):
        key, at = _varint(name, data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(name, data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(name, data, at)
        elif kind in _WIDTH:
            length = _WIDTH[kind]
        else:
            raise _no_network(name)
        if at + length > len(data):
            raise _no_network(name)
        yield key >> 3, data[at:at + length]
        at += length


def _varint(name: str, data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at:at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise _no_network(name)


def _no_network(name: str) -> Misconfigured:
    return Misconfigured(f"{name} does not load: its bytes are not laid out as an ONNX file")
