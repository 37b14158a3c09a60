"""What a model takes and gives, as texts such as `float32[batch, 3]` say it and as the server process reads it."""

from __future__ import annotations

import json
import re
from typing import Mapping, NamedTuple, Sequence, Union

import torch

from .errors import refused
from .tensors import DTYPES, datatype_of


class Symbol(NamedTuple):
    """A dimension that a request chooses."""

    name: str
    min: int = 1
    max: int | None = None


Dim = Union[int, Symbol]


class Port(NamedTuple):
    """An input or output."""

    name: str
    dtype: torch.dtype
    dims: tuple[Dim, ...]
    aliases: tuple[str, ...] = ()

    def spec(self) -> dict[str, object]:
        """As packages/server/src/base/signature.ts has it."""
        spec: dict[str, object] = {
            "name": self.name,
            "datatype": datatype_of(self.name, self.dtype),
            "dims": [_wire_dim(dim) for dim in self.dims],
        }
        if self.aliases:
            spec["aliases"] = list(self.aliases)
        return spec


_TYPE = re.compile(r"^\s*([a-z]+[0-9]*)\s*\[([^\[\]]*)\]\s*$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_.]*$")


def parse_port(name: str, text: str) -> Port:
    """Reads `float32[batch, 3]`: a name is a size that a request chooses. Raises ServeError."""
    match = _TYPE.match(text)
    if match is not None and match[1] in DTYPES:
        words = [word.strip() for word in match[2].split(",")] if match[2].strip() else []
        dims: list[Dim] = []
        for word in words:
            if word.isdecimal():
                dims.append(int(word))
            elif _NAME.match(word):
                dims.append(Symbol(word))
            else:
                break
        else:
            return Port(name, DTYPES[match[1]], tuple(dims))
    raise refused(
        f"what is said of '{name}' cannot be read: expected a dtype and sizes, such as float32[batch, 3], got {text[:80]!r}",
        "option_unsupported",
    )


def stated_inputs(stated: Mapping[str, str]) -> tuple[tuple[Port, ...], dict[str, object]]:
    """What `inputs` of model.yaml says: tensors, and numbers that are the same in every request."""
    ports = []
    constants: dict[str, object] = {}
    for name, text in stated.items():
        try:
            constants[name] = json.loads(text)
        except ValueError:
            ports.append(parse_port(name, text))
    return tuple(ports), constants


def renamed(
    inputs: Sequence[Port], outputs: Sequence[Port], rename: Mapping[str, str]
) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The same under other names; the old ones become aliases. Raises ServeError for a name that is not there."""
    known = [name for port in (*inputs, *outputs) for name in (port.name, *port.aliases)]
    unknown = next((name for name in rename if name not in known), None)
    if unknown is not None:
        raise refused(
            f"'rename' names '{unknown[:80]}', which the model has no input or output for: it has {', '.join(known)}",
            "option_unsupported",
        )

    def rename_all(ports: Sequence[Port]) -> tuple[Port, ...]:
        changed = []
        for port in ports:
            words = (port.name, *port.aliases)
            name = next((rename[word] for word in words if word in rename), port.name)
            changed.append(port._replace(name=name, aliases=tuple(word for word in words if word != name)))
        names = [port.name for port in changed]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise refused(f"'rename' leaves two inputs or outputs called '{twice[:80]}'", "option_unsupported")
        return tuple(changed)

    return rename_all(inputs), rename_all(outputs)


def batching_of(inputs: Sequence[Port], outputs: Sequence[Port], hint: str) -> dict[str, object]:
    """Whether requests may share a run: the first dimension of every input and output is one symbol that sizes nothing else."""
    batch: Symbol | None = None
    for what, ports in (("input", inputs), ("output", outputs)):
        for port in ports:
            if not port.dims:
                return _off(f"{what} {port.name} is a scalar", hint)
            first = port.dims[0]
            if isinstance(first, int):
                return _off(f"the first dimension of {what} {port.name} is fixed at {first}", hint)
            batch = batch or first
            if first.name != batch.name:
                return _off(f"the first dimension of {what} {port.name} is {first.name}, not {batch.name}", hint)
            if any(isinstance(dim, Symbol) and dim.name == first.name for dim in port.dims[1:]):
                return _off(f"{first.name} also sizes another dimension of {what} {port.name}", hint)
    if batch is None:
        return {"kind": "off", "reason": "the model has no inputs"}
    on: dict[str, object] = {"kind": "on", "symbol": batch.name}
    if batch.max is not None:
        on["maxRows"] = batch.max
    return on


def _off(why: str, hint: str) -> dict[str, object]:
    return {"kind": "off", "reason": f"{why}; {hint}" if hint else why}


def _wire_dim(dim: Dim) -> object:
    if isinstance(dim, int):
        return dim
    wire: dict[str, object] = {"symbol": dim.name, "min": dim.min}
    if dim.max is not None:
        wire["max"] = dim.max
    return wire
