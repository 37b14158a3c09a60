"""A `.pt2`: a program of torch.export, run by PyTorch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping, Sequence

import torch
from torch.utils import _pytree as pytree

from .errors import first_line, refused
from .forms import compiled, half_of, in_precision
from .outputs import flatten
from .program import Program, weights_of
from .shared_weights import share_weights
from .types import Dim, Port, Symbol

# torch.export assumes at least 2 for every size that is left open; such programs take one row, and none.
_LEAST_CHECKED = 3
# Marks of a tensor, and of a number, that each request chooses.
_TENSOR = object()
_NUMBER = object()


def open_exported(path: Path, options: Mapping[str, object], device: torch.device) -> Program:
    """Raises ServeError."""
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise refused(f"PyTorch cannot load the program: {first_line(error) or type(error).__name__}") from error
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    module = program.module()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    reader = _Reader(program)
    inputs = reader.inputs()
    if options["memory"] == "shared":
        share_weights(module, path)
    module, form = in_precision(module, options["precision"], path.name)
    are_sizes_open = any(not isinstance(dim, int) for port in inputs for dim in port.dims)
    parameters, size = weights_of(module)
    return Program(
        call=_caller(program, _called(module, options, are_sizes_open)),
        inputs=inputs,
        outputs=reader.outputs(inputs),
        samples=_samples(program),
        platform="pytorch_pt2",
        kind=f"it is a program of torch.export{form}",
        parameter_count=parameters,
        weight_bytes=size,
        files=[path],
        batching_hint=_hint(inputs),
        are_sizes_claimed=False,
        taken=tuple(port.name for port in inputs),
        half=half_of(options["precision"]),
    )


def _called(module: torch.fx.GraphModule, options: Mapping[str, object], are_sizes_open: bool) -> Callable[..., object]:
    if not options.get("profile"):
        return compiled(module, options, are_sizes_open)
    from .profile import placed

    return placed(module)


def _caller(program: torch.export.ExportedProgram, module: Callable[..., object]):
    """Puts the tensors where the program's own arguments were, and constants between them."""
    constants = _constants(program)
    in_spec = program.call_spec.in_spec

    def call(tensors: Sequence[torch.Tensor]) -> object:
        args, kwargs = pytree.tree_unflatten(_filled(constants, tensors), in_spec)
        return module(*args, **kwargs)

    return call


def leaves_of(program: torch.export.ExportedProgram, tensors: Sequence[torch.Tensor]) -> list[object]:
    """What its graph takes, one after the other: the tensors, and constants between them."""
    return _filled(_constants(program), tensors)


def _constants(program: torch.export.ExportedProgram) -> list[object]:
    return [_TENSOR if _is_tensor(spec) else getattr(spec.arg, "value", _NUMBER) for spec in _user_inputs(program)]


def _filled(constants: Sequence[object], tensors: Sequence[torch.Tensor]) -> list[object]:
    rest = iter(tensors)
    leaves = []
    for constant in constants:
        if constant is _TENSOR:
            leaves.append(next(rest))
        elif constant is _NUMBER:
            leaves.append(next(rest).item())
        else:
            leaves.append(constant)
    return leaves


def _user_inputs(program: torch.export.ExportedProgram) -> list[object]:
    return [spec for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]


def _is_tensor(spec: object) -> bool:
    return type(spec.arg).__name__ == "TensorArgument"


class _Reader:
    """What a program takes and gives, under the names that `forward` has for it."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self._program = program
        self._values = {node.name: node.meta.get("val") for node in program.graph.nodes}
        self._renamed: dict[str, str] = {}

    def inputs(self) -> tuple[Port, ...]:
        specs = _user_inputs(self._program)
        found = [
            (name, spec.arg.name) for name, spec in zip(self._paths(len(specs)), specs) if _is_tensor(spec) or not hasattr(spec.arg, "value")
        ]
        own = [name for name, _ in found]
        graph = [name for _, name in found]
        self._rename_batch(graph)
        is_plain = len(set(own)) == len(own)
        return tuple(
            self._port(name if is_plain else value, value, () if name == value or name in graph and is_plain else (value,))
            for name, value in found
        )

    def outputs(self, inputs: Sequence[Port]) -> tuple[Port, ...]:
        """In the order in which a run gives them."""
        specs = [spec for spec in self._program.graph_signature.output_specs if spec.kind.name == "USER_OUTPUT"]
        values = [self._values.get(getattr(spec.arg, "name", ""), getattr(spec.arg, "value", None)) for spec in specs]
        whole = pytree.tree_unflatten([_shaped(value) for value in values], self._program.call_spec.out_spec)
        named = flatten(whole, [port.name for port in inputs])
        return tuple(Port(name, value.dtype, self._dims(name, value)) for name, value in zip(named.names, named.tensors))

    def _paths(self, count: int) -> list[str]:
        """Names such as `batch_pixelValues` of the arguments' leaves."""
        program = self._program
        names = program.module_call_graph[0].signature.forward_arg_names or []
        tree = pytree.tree_unflatten(list(range(count)), program.call_spec.in_spec)
        leaves, _ = pytree.tree_flatten_with_path(tree)
        paths = [""] * count
        for path, index in leaves:
            first, *rest = path
            words = [_word(key) for key in rest]
            if first.idx == 0 and words and words[0].isdecimal() and int(words[0]) < len(names):
                words[0] = names[int(words[0])]
            paths[index] = "_".join(words)
        return paths

    def _rename_batch(self, graph: Sequence[str]) -> None:
        value = self._values.get(graph[0]) if graph else None
        if isinstance(value, torch.Tensor) and value.dim() and not isinstance(value.shape[0], int):
            self._renamed[str(value.shape[0])] = "batch"

    def _port(self, name: str, value_name: str, aliases: tuple[str, ...]) -> Port:
        value = self._values[value_name]
        if isinstance(value, torch.Tensor):
            return Port(name, value.dtype, self._dims(name, value), aliases)
        dtype = torch.bool if isinstance(value, torch.SymBool) else torch.float64 if isinstance(value, torch.SymFloat) else torch.int64
        return Port(name, dtype, (), aliases)

    def _dims(self, name: str, value: torch.Tensor) -> tuple[Dim, ...]:
        return tuple(self._dim(f"{name}.{axis}", size) for axis, size in enumerate(value.shape))

    def _dim(self, place: str, size: object) -> Dim:
        if isinstance(size, int):
            return size
        text = str(size)
        expression = size.node.expr
        constraint = self._program.range_constraints.get(expression)
        if constraint is None:
            return Symbol(place, 0)
        low, high = int(constraint.lower), str(constraint.upper)
        # Else it is infinity, or a number that stands for it.
        most = int(high) if high.isdecimal() and int(high) < 2**31 else None
        return Symbol(self._renamed.get(text, text), low if low >= _LEAST_CHECKED else 0, most)


def _word(key: object) -> str:
    for field in ("idx", "key", "name"):
        if hasattr(key, field):
            return str(getattr(key, field))
    return str(key)


def _shaped(value: object) -> object:
    return torch.tensor(0) if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)) else value


def _samples(program: torch.export.ExportedProgram) -> list[torch.Tensor] | None:
    if program.example_inputs is None:
        return None
    leaves = pytree.tree_leaves(program.example_inputs)
    specs = _user_inputs(program)
    if len(leaves) != len(specs):
        return None
    kept = [leaf for leaf, spec in zip(leaves, specs) if _is_tensor(spec) or not hasattr(spec.arg, "value")]
    return [leaf if isinstance(leaf, torch.Tensor) else torch.tensor(leaf) for leaf in kept]


def _hint(inputs: Sequence[Port]) -> str:
    entries = ", ".join(f'"{port.name}": {{0: batch}}' for port in inputs)
    return (
        'to batch, export again with batch = torch.export.Dim("batch"); '
        f"torch.export.export(model, args, dynamic_shapes={{{entries}}})"
    )
