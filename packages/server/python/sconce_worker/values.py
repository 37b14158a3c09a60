"""What every operation of a program of torch.export gives for some inputs, for whoever compares it with a translation."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Mapping, Sequence

import torch

from .errors import ServeError, first_line, refused
from .exported import leaves_of
from .profile import place_of
from .tensors import DATATYPES, DTYPES

# Of the file that the values are written to.
_MOST_BYTES = 8 * 1024 * 1024 * 1024


def answer(request: Mapping[str, object]) -> dict[str, object]:
    """`{"file", "tensors", "inputs", "output"}` → the values in the order in which they come about, or `{"error"}`. Never raises."""
    try:
        return {"values": _values(request)}
    except ServeError as error:
        message = error.message
    except Exception as error:
        message = f"{type(error).__name__}: {first_line(error)}"
    return {"error": {"code": "failed_precondition", "reason": "model_refused", "message": message}}


def _values(request: Mapping[str, object]) -> list[dict[str, object]]:
    program = torch.export.load(str(request["file"]))
    data = Path(str(request["tensors"])).read_bytes()
    inputs = [_tensor(data, place) for place in request["inputs"]]
    with open(str(request["output"]), "wb") as file:
        observer = _Observer(program.module(), file)
        with torch.inference_mode():
            observer.run(*leaves_of(program, inputs), enable_io_processing=False)
        return observer.settled()


def _tensor(data: bytes, place: Mapping[str, object]) -> torch.Tensor:
    dtype = next(dtype for dtype in DTYPES.values() if DATATYPES[dtype] == place["datatype"])
    part = bytearray(data[place["start"] : place["end"]])
    return torch.frombuffer(part, dtype=dtype).view(place["shape"]) if part else torch.empty(place["shape"], dtype=dtype)


class _Observer(torch.fx.Interpreter):
    """Writes down every tensor as it comes about."""

    def __init__(self, module: torch.fx.GraphModule, file: BinaryIO) -> None:
        super().__init__(module, garbage_collect_values=False)
        self._file = file
        self._found: list[dict[str, object]] = []
        # Values that a later operation writes into are not what they were.
        self._versions: dict[str, tuple[torch.Tensor, float]] = {}

    def run_node(self, node: torch.fx.Node) -> object:
        value = super().run_node(node)
        if node.op == "call_function" and isinstance(value, torch.Tensor) and value.dtype in DATATYPES:
            self._write(node, value)
        return value

    def _write(self, node: torch.fx.Node, value: torch.Tensor) -> None:
        start = self._file.tell()
        plain = value.detach().contiguous().resolve_conj().resolve_neg()
        if start + plain.numel() * plain.element_size() > _MOST_BYTES:
            raise refused("its values take more than 8 GiB; compare it for a smaller input")
        if plain.numel():
            self._file.write(plain.view(-1).view(torch.uint8).numpy().data)
        module, kind, line = place_of(node).split("|")
        said = {"name": node.name, "op": str(node.target), "module": module, "type": kind, "line": line}
        place = {"datatype": DATATYPES[value.dtype], "shape": list(value.shape), "start": start, "end": self._file.tell()}
        self._found.append({**said, **place})
        self._versions[node.name] = (value, _fingerprint(value))

    def settled(self) -> list[dict[str, object]]:
        """Those that are still what they were when they came about."""
        return [found for found in self._found if _is_same(*self._versions[found["name"]])]


def _fingerprint(value: torch.Tensor) -> float:
    return float(torch.nan_to_num(value.double()).sum()) if value.numel() else 0.0


def _is_same(value: torch.Tensor, before: float) -> bool:
    return _fingerprint(value) == before
