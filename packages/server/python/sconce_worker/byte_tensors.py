"""BYTES tensors of one dimension, between the server process and a worker: each element is its length and its bytes."""

from __future__ import annotations

import struct
from typing import Sequence

from .errors import ServeError

_BYTES = 14
_HEAD = struct.Struct("<IId")
_TENSOR = struct.Struct("<BBHQI")
_LENGTH = struct.Struct("<I")


def decode_byte_tensors(header: memoryview, payload: memoryview) -> list[list[memoryview]]:
    """The elements of each tensor, which share the payload's memory."""
    count, _, _ = _HEAD.unpack_from(header)
    tensors = []
    at, offset = _HEAD.size, 0
    for _ in range(count):
        code, rank, _, size, elements = _TENSOR.unpack_from(header, at)
        if code != _BYTES or rank != 1:
            raise ServeError("internal", "worker_protocol", "the worker was sent something else than rows of bytes")
        at += _TENSOR.size
        tensors.append(_elements(payload, offset, elements))
        offset += (size + 7) & ~7
    return tensors


def _elements(payload: memoryview, offset: int, count: int) -> list[memoryview]:
    found = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(payload, offset)
        offset += _LENGTH.size
        found.append(payload[offset : offset + length])
        offset += length
    return found


def encode_byte_tensors(tensors: Sequence[Sequence[bytes]], compute_ms: float) -> tuple[bytes, list[memoryview]]:
    """Header and payload."""
    header = bytearray(_HEAD.pack(len(tensors), 0, compute_ms))
    chunks = []
    for elements in tensors:
        size = 0
        for element in elements:
            chunks.append(memoryview(_LENGTH.pack(len(element))))
            if element:
                chunks.append(memoryview(element))
            size += _LENGTH.size + len(element)
        header += _TENSOR.pack(_BYTES, 1, 0, size, len(elements))
        if size % 8:
            chunks.append(memoryview(bytes(8 - size % 8)))
    return bytes(header), chunks
