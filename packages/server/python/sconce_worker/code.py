"""A model as Python code: a class in `model.py`, and its weights."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Callable, Mapping

import torch

from .errors import ServeError, first_line, refused
from .forms import compiled, half_of, in_precision
from .program import Program, weights_of
from .reparametrized import parametrization_advice, without_masks
from .types import Port, Symbol, parse_port, stated_inputs
from .weights import read_weights, shards_of, without_prefix

_MODULE = "model"
_MOST_SHOWN = 8


def open_code(code: Path, weights: Path | None, options: Mapping[str, object], device: torch.device) -> Program:
    """Runs the code, makes the model, and fills in the weights. Raises ServeError with what to change."""
    before = set(sys.modules)
    module = _run_code(code)
    is_mapped = options["memory"] == "shared"
    state = None if weights is None else read_weights(weights, is_mapped, bool(options.get("allowsPickle")))
    model = _make(module, options, state)
    if state is not None:
        _fill(model, state, options, f"{type(model).__name__} of {code.name}", weights.name)
    files = [code, *([] if weights is None else shards_of(weights)), *_own_modules(code.parent, before)]
    return program_of(
        model,
        options,
        device,
        module=module,
        files=list(dict.fromkeys(files)),
        kind=f"it is the class {type(model).__name__} of {code.name}",
        where=code.name,
    )


def program_of(
    model: torch.nn.Module,
    options: Mapping[str, object],
    device: torch.device,
    *,
    module: ModuleType | None,
    files: list[Path],
    kind: str,
    where: str,
    ports: tuple[Port, ...] | None = None,
    constants: Mapping[str, object] | None = None,
) -> Program:
    """
    A module in evaluation mode. `module`: where its class comes from. `ports`: what it takes, where that is known; `constants`: further
    arguments of every call. Raises ServeError when nothing says what it takes.
    """
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.to(device)
    count, size = weights_of(model)
    model, form = in_precision(model, options["precision"], where)
    # What int8 packs is no tensor of the module any more.
    size = weights_of(model)[1] if form and half_of(options["precision"]) else size
    inputs, stated = (ports, {}) if ports is not None else _inputs_of(model.forward, module, options, where)
    fixed = {**(constants or {}), **stated}
    return Program(
        call=_caller(model, inputs, fixed, compiled(model, options, _are_sizes_open(inputs))),
        inputs=inputs,
        outputs=None,
        samples=None,
        platform="pytorch_eager",
        kind=f"{kind}{form}",
        parameter_count=count,
        weight_bytes=size,
        files=files,
        batching_hint="",
        are_sizes_claimed=True,
        module=model,
        constants=fixed,
        half=half_of(options["precision"]),
    )


def _are_sizes_open(inputs: tuple[Port, ...]) -> bool:
    return any(not isinstance(dim, int) for port in inputs for dim in port.dims)


def _run_code(code: Path) -> ModuleType:
    # As if the folder were where Python was started: `import helpers` and files beside the code are found.
    sys.path.insert(0, str(code.parent))
    os.chdir(code.parent)
    spec = importlib.util.spec_from_file_location(_MODULE, code)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise _code_failed(error, f"{code.name} cannot be imported") from error
    return module


def _own_modules(folder: Path, before: set[str]) -> list[Path]:
    found = []
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and folder in Path(file).parents and ".venv" not in Path(file).parts:
            found.append(Path(file))
    return sorted(found)


def _make(module: ModuleType, options: Mapping[str, object], state: Mapping[str, object] | None) -> torch.nn.Module:
    arguments = {name: _value(text) for name, text in (options.get("arguments") or {}).items()}
    factory = _named(module, options["class"]) if options.get("class") else _found(module, arguments, state)
    try:
        model = factory(**arguments)
    except BaseException as error:
        given = ", ".join(arguments) or "none"
        advice = f"the arguments in model.yaml are: {given}"
        raise _code_failed(error, f"{factory.__name__}() of {_MODULE}.py cannot be made ({advice})") from error
    if isinstance(model, torch.nn.Module):
        return model
    raise refused(f"{factory.__name__}() of {_MODULE}.py gave a {type(model).__name__} and no torch.nn.Module")


def _named(module: ModuleType, name: str) -> Callable[..., object]:
    found = getattr(module, name, None)
    if callable(found):
        return found
    known = ", ".join(kind.__name__ for kind in _classes(module)) or "none"
    raise refused(f"model.yaml names the class {name}, which {_MODULE}.py does not have; its modules are: {known}")


def _classes(module: ModuleType) -> list[type[torch.nn.Module]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == module.__name__
    ]


def _found(
    module: ModuleType, arguments: Mapping[str, object], state: Mapping[str, object] | None
) -> Callable[..., object]:
    classes = _classes(module)
    if len(classes) == 1:
        return classes[0]
    if not classes:
        raise refused(
            f"{_MODULE}.py has no class that is a torch.nn.Module: write one, or name what makes the model (class: in model.yaml)"
        )
    fitting = [kind for kind in classes if _fits(kind, arguments, state)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(kind.__name__ for kind in classes)
    raise refused(f"{_MODULE}.py has several modules ({names}): name the one to serve in model.yaml, class: {names.split(', ')[-1]}")


def _fits(kind: type, arguments: Mapping[str, object], state: Mapping[str, object] | None) -> bool:
    """Whether the weights are exactly those of this class."""
    if state is None:
        return False
    try:
        with torch.device("meta"):
            names = set(kind(**arguments).state_dict())
    except Exception:
        return False
    return names == set(without_masks(dict(without_prefix(dict(state), names)), names))


def _value(text: str) -> object:
    """What a text of model.yaml stands for: a number, true, a list; anything else is the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _fill(
    model: torch.nn.Module, state: dict[str, torch.Tensor], options: Mapping[str, object], what: str, file: str
) -> None:
    own = model.state_dict()
    state = without_masks(without_prefix(state, set(own)), set(own))
    faults = _mismatch(own, state)
    if faults:
        advice = parametrization_advice(state, set(own))
        faults += [advice] if advice else []
        raise refused(f"the weights in {file} are not those of {what}: {'; '.join(faults)}", "weights_mismatch")
    is_same = all(own[name].dtype == tensor.dtype for name, tensor in state.items() if name in own)
    try:
        # Assigned, the model's weights are the pages of the file.
        model.load_state_dict(state, strict=True, assign=options["memory"] == "shared" and is_same)
    except Exception as error:
        raise refused(f"the weights in {file} are not those of {what}: {first_line(error)}", "weights_mismatch") from error


def _mismatch(own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> list[str]:
    faults = []
    for words, names in (
        ("the file lacks", [name for name in own if name not in state]),
        ("the class lacks", [name for name in state if name not in own]),
    ):
        if names:
            faults.append(f"{words} {_list(names)}")
    shapes = [
        f"{name} is {list(state[name].shape)} in the file and {list(tensor.shape)} in the class"
        for name, tensor in own.items()
        if name in state and isinstance(tensor, torch.Tensor) and state[name].shape != tensor.shape
    ]
    return faults + ([_list(shapes)] if shapes else [])


def _list(names: list[str]) -> str:
    rest = len(names) - _MOST_SHOWN
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _inputs_of(
    forward: Callable[..., object], module: ModuleType | None, options: Mapping[str, object], where: str
) -> tuple[tuple[Port, ...], Mapping[str, object]]:
    """What the model takes, and what is the same in every call: as model.yaml says, else as `example_inputs` of the code or the annotations of `forward` do."""
    stated = options.get("inputs")
    if stated:
        return stated_inputs(stated)
    names = [name for name, parameter in _parameters(forward).items() if parameter.default is parameter.empty]
    annotated = [_annotation(parameter) for name, parameter in _parameters(forward).items() if name in names]
    if annotated and all(annotated):
        return tuple(parse_port(name, text) for name, text in zip(names, annotated)), {}
    example = getattr(module, "example_inputs", None)
    if example is not None:
        return _from_example(example, names), {}
    shown = ", ".join(f'{name}: "float32[batch, 3]"' for name in names) or 'x: "float32[batch, 3]"'
    raise refused(
        f"{where} does not say what the model takes: write it into model.yaml, such as inputs: {{{shown}}}",
        "inputs_unknown",
    )


def _parameters(forward: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return {}
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in skipped}


def _annotation(parameter: inspect.Parameter) -> str | None:
    """`float32[batch, 3]` of `x: "float32[batch, 3]"` or `x: Annotated[Tensor, "float32[batch, 3]"]`."""
    note = parameter.annotation
    texts = [note, *getattr(note, "__metadata__", ())]
    return next((text for text in texts if isinstance(text, str) and "[" in text and "Tensor" not in text), None)


def _from_example(example: object, names: list[str]) -> tuple[Port, ...]:
    """Ports from tensors: their first dimension is the batch's, the others are as they are."""
    value = example() if callable(example) else example
    if isinstance(value, torch.Tensor):
        value = (value,)
    named = value if isinstance(value, Mapping) else dict(zip(names, value))
    return tuple(
        Port(name, tensor.dtype, tuple([Symbol("batch"), *tensor.shape[1:]]) if tensor.dim() else ())
        for name, tensor in named.items()
    )


def _caller(
    model: torch.nn.Module, inputs: tuple[Port, ...], constants: Mapping[str, object], called: Callable[..., object]
) -> Callable[[list[torch.Tensor]], object]:
    """Calls the model by the names of its arguments where the inputs have them, else in their order."""
    names = [port.name for port in inputs]
    parameters = _parameters(model.forward)
    if all(name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY for name in names):
        return lambda tensors: called(**dict(zip(names, tensors)), **constants)
    return lambda tensors: called(*tensors, **constants)


def _code_failed(error: BaseException, what: str) -> ServeError:
    """An error of a model's own code: told in a sentence, its traceback for the log."""
    text = first_line(error)
    return refused(f"{what}: {type(error).__name__}{': ' if text else ''}{text}", "model_code_failed", traceback.format_exc())
