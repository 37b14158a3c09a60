"""What the runs of a model spend their time on, for `sconce profile`: the operations that PyTorch notes, by the modules they ran in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Callable, Iterator, Mapping, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils import _pytree as pytree

_RUN = "sconce.run"
_MODULE = "sconce.module:"
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')
_PYTORCH = os.path.dirname(torch.__file__)
# What a path is called in by older exports, and the number of a further call of a module.
_NOT_PATH = re.compile(r"^L\['self'\]\.?|^L__self__\.?|@\d+$")


class Profiler:
    """Counts the runs it is asked for, and writes what they were spent on into a folder."""

    def __init__(self, request: Mapping[str, object], module: torch.nn.Module | None) -> None:
        self._file = Path(str(request["folder"])) / "torch.json"
        self._left = int(request["skip"])
        self._runs = int(request["runs"])
        self._profile: profile | None = None
        if module is not None:
            _watch(module)

    def run(self, call: Callable[[], object]) -> object:
        if self._left > 0 or self._runs == 0:
            self._left -= 1
            return call()
        if self._profile is None:
            self._profile = profile(activities=[ProfilerActivity.CPU])
            self._profile.__enter__()
        with record_function(_RUN):
            result = call()
        self._runs -= 1
        if self._runs == 0:
            self._profile.__exit__(None, None, None)
            self._file.write_text(json.dumps(_summary(self._profile.events())))
        return result


def placed(module: torch.fx.GraphModule) -> Callable[..., object]:
    """A program of torch.export, run node by node, so that each operation is noted with the module that it came from."""
    interpreter = _PlacedInterpreter(module)

    def call(*args: object, **kwargs: object) -> object:
        return interpreter.run(*pytree.tree_leaves((args, kwargs)))

    return call


class _PlacedInterpreter(torch.fx.Interpreter):
    def run_node(self, node: torch.fx.Node) -> object:
        if node.op not in ("call_function", "call_module"):
            return super().run_node(node)
        with record_function(_MODULE + place_of(node)):
            return super().run_node(node)


def place_of(node: torch.fx.Node) -> str:
    """The path of the module that it comes from, that module's class, and the line of code, with strokes between them."""
    stack = node.meta.get("nn_module_stack") or {}
    path, kind = list(stack.values())[-1] if stack else ("", "")
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [frame for frame in frames if not frame[0].startswith(_PYTORCH) and "/torch/nn/" not in frame[0]] or frames
    line = f"{os.path.basename(own[-1][0])}:{own[-1][1]}" if own else ""
    return "|".join((_NOT_PATH.sub("", path), name, line))


def _watch(module: torch.nn.Module) -> None:
    """Notes when each of its modules begins and ends."""
    for path, inner in module.named_modules():
        kind = type(inner)
        code = getattr(kind.forward, "__code__", None)
        line = f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}" if code else ""
        label = _MODULE + "|".join((path, f"{kind.__module__}.{kind.__qualname__}", line))
        open_ranges: list[record_function] = []
        try:
            inner.register_forward_pre_hook(_opener(label, open_ranges))
            inner.register_forward_hook(_closer(open_ranges), always_call=True)
        except RuntimeError:
            continue  # A scripted module takes no hooks: its operations are those of the module around it.


def _opener(label: str, open_ranges: list[record_function]) -> Callable[..., None]:
    def before(*_: object) -> None:
        open_ranges.append(record_function(label))
        open_ranges[-1].__enter__()

    return before


def _closer(open_ranges: list[record_function]) -> Callable[..., None]:
    def after(*_: object) -> None:
        if open_ranges:
            open_ranges.pop().__exit__(None, None, None)

    return after


class _Key(NamedTuple):
    place: str
    op: str
    kernel: str


def _summary(events: object) -> dict[str, object]:
    """By module, operation and what ran it: microseconds in each run, without what ran inside."""
    runs = [event for event in events if event.name == _RUN and event.cpu_parent is None]
    spent: dict[_Key, list[float]] = {}
    calls: dict[_Key, int] = {}
    for at, run in enumerate(runs):
        for key, us in _parts(run):
            spent.setdefault(key, [0.0] * len(runs))[at] += us
            calls[key] = calls.get(key, 0) + 1
    samples = []
    for key, us in spent.items():
        module, kind, line = (key.place.split("|") + ["", ""])[:3]
        samples.append({"module": module, "type": kind, "line": line, "op": key.op, "kernel": key.kernel, "us": us, "calls": calls[key] / len(runs)})
    return {"runs": [run.cpu_time_total for run in runs], "samples": samples}


def _parts(run: object) -> Iterator[tuple[_Key, float]]:
    open_events = [(run, "", "")]
    while open_events:
        event, place, op = open_events.pop()
        if event.name.startswith(_MODULE):
            place, op = event.name[len(_MODULE) :], ""
        elif event is not run and op == "":
            op = event.name
        kernel = event.name if op else "Python"
        yield _Key(place, op.replace("::", "."), kernel), event.self_cpu_time_total
        open_events.extend((child, place, op) for child in reversed(event.cpu_children))
