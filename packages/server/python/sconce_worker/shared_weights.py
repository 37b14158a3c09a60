"""Weights as pages of the model's file, which all processes that have it share."""

from __future__ import annotations

import mmap
import struct
import zipfile
from pathlib import Path
from typing import Iterable

import torch

from .weights import read_safetensors

# What is smaller shares its page with something else.
_LEAST_BYTES = 4096
# What equal tensors begin with; comparing this much first spares comparing most of the others.
_HEAD_BYTES = 64
_LOCAL_HEADER = struct.Struct("<26xHH")


def share_weights(module: torch.nn.Module, path: Path) -> int:
    """
    Replaces the module's weights by the bytes of the file that equal them, wherever in it they lie; what is not found stays as it is.
    Returns how many bytes were replaced. Nobody must write to the weights.
    """
    found: dict[int, list[torch.Tensor]] = {}
    for stored in _stored(path):
        found.setdefault(stored.numel(), []).append(stored)
    shared = 0
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    for tensor in tensors.values():
        size = tensor.numel() * tensor.element_size()
        if size < _LEAST_BYTES or tensor.device.type != "cpu" or not tensor.is_contiguous():
            continue
        data = tensor.detach().view(-1).view(torch.uint8)
        equal = next((stored for stored in found.get(size, ()) if _is_equal(stored, data)), None)
        if equal is None or equal.data_ptr() % tensor.element_size():
            continue
        tensor.data = equal.view(tensor.dtype).view(tensor.shape)
        shared += size
    return shared


def _is_equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.equal(one[:_HEAD_BYTES], two[:_HEAD_BYTES]) and torch.equal(one, two)


def _stored(path: Path) -> Iterable[torch.Tensor]:
    """Pieces of the file in which tensors may lie, as private pages of it."""
    if path.suffix == ".safetensors":
        for tensor in read_safetensors(path).values():
            if tensor.numel() * tensor.element_size() >= _LEAST_BYTES:
                yield tensor.reshape(-1).view(torch.uint8)
        return
    with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size < _LEAST_BYTES:
                continue
            name, extra = _LOCAL_HEADER.unpack_from(mapped, entry.header_offset)
            start = entry.header_offset + _LOCAL_HEADER.size + name + extra
            if start + entry.file_size <= len(mapped):
                yield torch.frombuffer(mapped, dtype=torch.uint8, count=entry.file_size, offset=start)
