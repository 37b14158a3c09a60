"""Weights from a file: `.pth` by PyTorch's restricted reader, `.safetensors` by a few lines of our own."""

from __future__ import annotations

import json
import mmap
import os
import pickle
import re
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Mapping

import torch

from .errors import first_line, refused

# `model-00001-of-00003.safetensors`: a part of a checkpoint that was saved in several files.
_SHARD = re.compile(r"(.*)-[0-9]{5}-of-([0-9]{5})(\.[A-Za-z0-9]+)")
_MOST_SHARDS = 1000
_MAX_HEADER_BYTES = 100 * 1024 * 1024
_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "C64": torch.complex64,
}
# Under these keys training loops keep the weights beside the optimizer's state.
_NESTED = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
# What wrappers put before every name.
_PREFIXES = ("module.", "_orig_mod.", "model.")


def shards_of(path: Path) -> list[Path]:
    """The files that a checkpoint is saved in, of which `path` is one. Raises ServeError where one is missing."""
    parts = _SHARD.fullmatch(path.name)
    if parts is None:
        return [path]
    stem, count, suffix = parts.groups()
    if int(count) > _MOST_SHARDS:
        raise refused(f"{path.name} is one of {int(count)} files, and a checkpoint may have {_MOST_SHARDS}", "model_refused")
    files = [path.with_name(f"{stem}-{number:05}-of-{count}{suffix}") for number in range(1, int(count) + 1)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise refused(f"{path.name} is one of {int(count)} files, and {missing[0]} is missing: copy all of them", "model_file_corrupt")
    for file in files:
        # Where the server looks for models it follows no links that lead elsewhere.
        if os.path.dirname(os.path.realpath(file)) != os.path.dirname(os.path.realpath(path)):
            raise refused(f"{file.name} is a link that leads elsewhere: copy the file here", "model_refused")
    return files


def read_weights(path: Path, is_mapped: bool, allows_pickle: bool) -> dict[str, torch.Tensor]:
    """
    The tensors of a file, or of all that one checkpoint is saved in, by name. `is_mapped`: they are pages of the file. `allows_pickle`: it may run
    code. Raises ServeError.
    """
    files = shards_of(path)
    if len(files) == 1:
        return _read_file(path, is_mapped, allows_pickle)
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        for name, tensor in _read_file(file, is_mapped, allows_pickle).items():
            if name in tensors:
                raise refused(f"the tensor '{name}' lies in {file.name} and in another file of its checkpoint", "model_file_corrupt")
            tensors[name] = tensor
    return tensors


def _read_file(path: Path, is_mapped: bool, allows_pickle: bool) -> dict[str, torch.Tensor]:
    with open(path, "rb") as file:
        head = file.read(16)
    if head[8:9] == b"{" and not head.startswith(b"PK"):
        return read_safetensors(path)
    return _state_dict_of(_unpickled(path, is_mapped, allows_pickle), path.name)


def _unpickled(path: Path, is_mapped: bool, allows_pickle: bool) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=not allows_pickle, mmap=is_mapped and _is_zip(path))
    except pickle.UnpicklingError as error:
        raise refused(
            f"{path.name} holds more than weights, and reading it would run code: save model.state_dict() "
            "instead, or, if you trust the file, start with --allow-pickle",
            "pickle_refused",
            str(error),
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise refused(f"{path.name} cannot be read: {first_line(error)}", "model_file_corrupt") from error


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _state_dict_of(loaded: object, name: str) -> dict[str, torch.Tensor]:
    """The weights in what a checkpoint holds, wherever a training loop has put them."""
    if isinstance(loaded, torch.nn.Module):
        return loaded.state_dict()
    if isinstance(loaded, Mapping):
        if loaded and all(isinstance(value, torch.Tensor) for value in loaded.values()):
            return _copied(loaded)
        for key in _NESTED:
            inner = loaded.get(key)
            if isinstance(inner, Mapping) and inner and all(isinstance(v, torch.Tensor) for v in inner.values()):
                return _copied(inner)
        keys = ", ".join(repr(str(key)) for key in list(loaded)[:8])
        raise refused(f"{name} holds no state_dict: its keys are {keys}; save model.state_dict()")
    raise refused(f"{name} holds a {type(loaded).__name__} and no state_dict: save model.state_dict()")


def _copied(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """With the versions of the modules that it came from, which `load_state_dict` hands to them."""
    copy = OrderedDict(state)
    copy._metadata = getattr(state, "_metadata", None)
    return copy


def without_prefix(weights: dict[str, torch.Tensor], wanted: set[str]) -> dict[str, torch.Tensor]:
    """The same without what DataParallel and torch.compile put before every name, where that is what keeps names from fitting."""
    for prefix in _PREFIXES:
        if wanted.isdisjoint(weights) and weights and all(name.startswith(prefix) for name in weights):
            return without_prefix({name[len(prefix) :]: value for name, value in weights.items()}, wanted)
    return weights


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors that are private pages of the file. Raises ServeError."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        if length > _MAX_HEADER_BYTES:
            raise _damaged(path, "its header is too long")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise _damaged(path, "its header is not JSON") from error
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + length
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        tensors[name] = _tensor(path, name, entry, memoryview(mapped)[start:])
    return tensors


def _tensor(path: Path, name: str, entry: dict[str, object], data: memoryview) -> torch.Tensor:
    try:
        dtype = _DTYPES[entry["dtype"]]
        shape = [int(size) for size in entry["shape"]]
        begin, end = entry["data_offsets"]
        if begin == end:
            return torch.empty(shape, dtype=dtype)
        if begin % dtype.itemsize == 0:
            count = (end - begin) // dtype.itemsize
            return torch.frombuffer(data[begin:end], dtype=dtype, count=count).view(shape)
        # The format does not promise that tensors are aligned.
        return torch.frombuffer(bytearray(data[begin:end]), dtype=dtype).view(shape)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(path, f"the tensor '{name}' cannot be read: {error}") from error


def _damaged(path: Path, why: str) -> Exception:
    return refused(f"{path.name} is not a safetensors file: {why}; copy the file again", "model_file_corrupt")
