"""What a traced archive says of the inputs that it was traced with: their types and sizes, read as data."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import torch

from .types import Port, Symbol


class _Traced(NamedTuple):
    dtype: torch.dtype
    shape: tuple[int, ...]


def traced_inputs(path: Path, names: list[str]) -> tuple[Port, ...] | None:
    """Ports whose first dimension is the batch's where all inputs have the same there, other sizes as traced. None: it says nothing."""
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("/traced_inputs.pkl")), None)
        if name is None or archive.getinfo(name).file_size > 2**20:
            return None
        data = archive.read(name)
    try:
        inputs = _Reader(io.BytesIO(data)).load()["forward"]
    except Exception:
        return None
    if len(inputs) != len(names) or not all(isinstance(item, _Traced) for item in inputs):
        return None
    rows = {item.shape[0] for item in inputs if item.shape}
    isolated = len(rows) != 1 or any(not item.shape for item in inputs)
    return tuple(
        Port(name, item.dtype, item.shape if isolated else (Symbol("batch"), *item.shape[1:]))
        for name, item in zip(names, inputs)
    )


class _Reader(pickle.Unpickler):
    """Knows a closed table of names, and runs nothing else."""

    def find_class(self, module: str, name: str) -> object:
        if module == "torch" and name.endswith("Storage"):
            return _STORAGES.get(name.removesuffix("Storage")) or _refuse(name)
        return _KNOWN.get((module, name)) or _refuse(name)

    def persistent_load(self, saved: object) -> object:
        return saved[1]


def _rebuild(dtype: torch.dtype, offset: int, size: tuple[int, ...], *_: object) -> _Traced:
    return _Traced(dtype, tuple(size))


def _restore(value: object, _: object) -> object:
    return value


def _refuse(name: str) -> object:
    raise pickle.UnpicklingError(f"{name} is not allowed")


_STORAGES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}
_KNOWN = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch.jit._pickle", "restore_type_tag"): _restore,
    ("collections", "OrderedDict"): OrderedDict,
}
