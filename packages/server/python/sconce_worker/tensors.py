"""Tensors between the server process and a worker: packages/server/src/runtime/tensor-codec.ts describes them."""

from __future__ import annotations

import ctypes
import struct
from typing import Sequence

import torch

from .errors import ServeError, refused

_HEAD = struct.Struct("<IId")
_TENSOR = struct.Struct("<BBHQ")

# Names of the protocol, their numbers on the wire, and PyTorch's types.
_TABLE = [
    ("BOOL", 1, torch.bool),
    ("UINT8", 2, torch.uint8),
    ("UINT16", 3, torch.uint16),
    ("UINT32", 4, torch.uint32),
    ("UINT64", 5, torch.uint64),
    ("INT8", 6, torch.int8),
    ("INT16", 7, torch.int16),
    ("INT32", 8, torch.int32),
    ("INT64", 9, torch.int64),
    ("FP16", 10, torch.float16),
    ("BF16", 11, torch.bfloat16),
    ("FP32", 12, torch.float32),
    ("FP64", 13, torch.float64),
]
_DTYPE_OF_CODE = {code: dtype for _, code, dtype in _TABLE}
_CODE_OF_DTYPE = {dtype: code for _, code, dtype in _TABLE}
DATATYPES = {dtype: name for name, _, dtype in _TABLE}
DTYPES = {str(dtype).removeprefix("torch."): dtype for _, _, dtype in _TABLE}


def datatype_of(name: str, dtype: torch.dtype) -> str:
    """The protocol's name of a type. Raises ServeError where it has none."""
    if dtype not in DATATYPES:
        word = str(dtype).removeprefix("torch.")
        raise refused(
            f"{name} has the element type {word}, which the protocols cannot carry; convert it inside the model"
        )
    return DATATYPES[dtype]


def decode_tensors(header: memoryview, payload: memoryview) -> list[torch.Tensor]:
    """Tensors that share the payload's memory."""
    count, _, _ = _HEAD.unpack_from(header)
    tensors = []
    at = _HEAD.size
    offset = 0
    for _ in range(count):
        code, rank, _, size = _TENSOR.unpack_from(header, at)
        at += _TENSOR.size
        shape = struct.unpack_from(f"<{rank}I", header, at)
        at += 4 * rank
        dtype = _DTYPE_OF_CODE.get(code)
        if dtype is None:
            raise ServeError("internal", "worker_protocol", "the worker was sent a datatype that it does not know")
        if size == 0:
            tensors.append(torch.empty(shape, dtype=dtype))
        else:
            flat = torch.frombuffer(payload, dtype=dtype, count=size // dtype.itemsize, offset=offset)
            tensors.append(flat.view(shape))
        offset += (size + 7) & ~7
    return tensors


def encode_tensors(tensors: Sequence[torch.Tensor], compute_ms: float) -> tuple[bytes, list[memoryview]]:
    """Header and payload of tensors in the memory of the processor, contiguous. They must live until the frame is sent."""
    header = bytearray(_HEAD.pack(len(tensors), 0, compute_ms))
    chunks = []
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        header += _TENSOR.pack(_CODE_OF_DTYPE[tensor.dtype], tensor.dim(), 0, size)
        header += struct.pack(f"<{tensor.dim()}I", *tensor.shape)
        if size == 0:
            continue
        chunks.append(_bytes_of(tensor, size))
        if size % 8:
            chunks.append(memoryview(bytes(8 - size % 8)))
    return bytes(header), chunks


def _bytes_of(tensor: torch.Tensor, size: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * size).from_address(tensor.data_ptr())).cast("B")
