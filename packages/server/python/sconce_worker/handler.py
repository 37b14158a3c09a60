"""A TorchServe handler: found in its archive, made ready, and called with batches as TorchServe calls it."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, Mapping, NamedTuple, Sequence

import torch

from .answers import REFUSED, Answer, Mistaken, encoded
from .errors import ServeError, first_line, refused
from .manifest import Archive
from .model_error import run_error

# The package `ts` that handlers import.
_TS = Path(__file__).resolve().parent.parent / "torchserve"
_BUILT_IN = {
    "base_handler": "BaseHandler",
    "image_classifier": "ImageClassifier",
    "image_segmenter": "ImageSegmenter",
    "object_detector": "ObjectDetector",
    "text_classifier": "TextClassifier",
}
# Request envelopes, and those of them that hold one request at a time.
_ENVELOPES = {"body": "BodyEnvelope", "json": "JSONEnvelope", "kserve": "KServeEnvelope", "kservev2": "KServev2Envelope"}
ONE_REQUEST = ("kserve", "kservev2")
_FAILED = 503
_OUT_OF_MEMORY = 507


class Row(NamedTuple):
    """A request. `fields`: values by name; `headers`: as the client sent them, and those of its parts by name."""

    request_id: str
    fields: dict[str, object]
    headers: dict[str, object]
    # Its client takes what the handler sends before it is done as it comes.
    in_pieces: bool


class Handler:
    def __init__(self, archive: Archive, name: str, device: torch.device, batch_size: int, allows_pickle: bool, envelope: str = "") -> None:
        """Imports the archive's code and lets it load its model. Raises ServeError."""
        if str(_TS) not in sys.path:
            sys.path.insert(0, str(_TS))
        sys.path.insert(0, str(archive.folder))
        context_module = importlib.import_module("ts.context")
        importlib.import_module("ts.torch_handler.base_handler").ALLOWS_PICKLE = allows_pickle
        self._failure = importlib.import_module("ts.utils.util").PredictionException
        self._request_processor = context_module.RequestProcessor
        store = importlib.import_module("ts.metrics.metrics_store").MetricsStore
        gpu = device.index or 0 if device.type == "cuda" else None
        self._context = context_module.Context(
            name,
            str(archive.folder),
            dict(archive.manifest),
            batch_size,
            gpu,
            importlib.import_module("ts").__version__,
            metrics=store({}, name, _declared_metrics()),
            model_yaml_config=dict(archive.config),
        )
        entry = _ready(archive, self._context)
        self._entry = entry if envelope == "" else _enveloped(entry, envelope)

    def answer(self, rows: Sequence[Row], send_piece: Callable[[int, Answer], None]) -> list[Answer]:
        """An answer for each row. Raises ServeError where all rows fail together."""
        context = self._begin(rows)
        pieces: list[list[bytes]] = [[] for _ in rows]
        context.send_part = lambda given: self._take_pieces(rows, pieces, given, send_piece)
        try:
            values = [b"".join([*pieces[index], encoded(value)]) for index, value in enumerate(self._run(rows))]
        except BaseException as error:
            found = self._refusal_of(error)
            if found is None:
                raise _failure(error) from error
            return _refusal(rows, error, *found)
        return [self._answer(index, value) for index, value in enumerate(values)]

    def step(self, rows: Sequence[Row]) -> list[tuple[Answer, bool]]:
        """One run of a handler that answers in several (`continuousBatching`): the next piece of each row's answer, and whether it is the last."""
        context = self._begin(rows)
        try:
            given = self._run(rows)
            answers = []
            for index, value in enumerate(given):
                stop = context.stopping_criteria[index](value) if context.stopping_criteria else None
                if stop is not None:
                    context.set_response_header(index, "ts_stream_next", "false" if stop else "true")
                answers.append((self._answer(index, encoded(value)), stop is None or bool(stop)))
            return answers
        except BaseException as error:
            # Whose fault it is cannot be tried: what the handler knows of its requests is in its memory.
            traceback.print_exception(error)
            status, message = self._refusal_of(error) or (_FAILED, "Prediction failed")
            return [(_refused(status, message), True) for _ in rows]

    def _begin(self, rows: Sequence[Row]) -> object:
        context = self._context
        context.request_ids = {index: row.request_id for index, row in enumerate(rows)}
        context.request_processor = [self._request_processor(dict(row.headers)) for row in rows]
        context.metrics.set_request_ids(context.request_ids)
        return context

    def _run(self, rows: Sequence[Row]) -> list:
        started = time.perf_counter()
        given = _checked(self._entry([dict(row.fields) for row in rows], self._context), len(rows))
        self._context.metrics.add_time("PredictionTime", round((time.perf_counter() - started) * 1000, 2))
        return given

    def _refusal_of(self, error: BaseException) -> tuple[int, str] | None:
        """Status and words of a refusal; None: the handler failed."""
        if isinstance(error, self._failure):
            return _status(error.error_code), str(error.message)
        if isinstance(error, Mistaken):
            return _FAILED, str(error)
        if isinstance(error, MemoryError) or "CUDA" in str(error):
            return _OUT_OF_MEMORY, "Out of resources"
        return None

    def take_reports(self) -> list:
        """The numbers that the handler reported since the last time: kind, name, value, unit, and its dimensions' names and values."""
        return self._context.metrics.take()

    def _take_pieces(
        self,
        rows: Sequence[Row],
        pieces: list[list[bytes]],
        given: Sequence[object],
        send_piece: Callable[[int, Answer], None],
    ) -> None:
        for index, row in enumerate(rows):
            # What TorchServe's clients know a streamed answer by.
            self._context.set_response_header(index, "ts_stream_next", "true")
            piece = encoded(given[index])
            if row.in_pieces:
                send_piece(index, self._answer(index, piece))
            else:
                pieces[index].append(piece)

    def _answer(self, index: int, body: bytes) -> Answer:
        status, _ = self._context.get_response_status(index)
        content_type = self._context.get_response_content_type(index)
        headers = {str(key): str(text) for key, text in self._context.get_response_headers(index).items()}
        headers.pop("content-type", None)
        return Answer(body, _status(status), None if content_type is None else str(content_type), headers)


def _declared_metrics() -> list:
    """Those of the server's metrics.yaml."""
    return json.loads(os.environ.get("SCONCE_HANDLER_METRICS") or "[]")


def _refusal(rows: Sequence[Row], error: BaseException, status: int, message: str) -> list[Answer]:
    """The answer to a request alone. Raises ServeError for several: whose fault it is shows when they run alone."""
    if len(rows) > 1:
        raise _failure(error) from error
    traceback.print_exception(error)
    return [_refused(status, message)]


def _refused(status: int, message: str) -> Answer:
    return Answer(message.encode(), status, None, {REFUSED: "1"})


def _failure(error: BaseException) -> ServeError:
    """The handler's, whatever its model says of the inputs: only the handler knows what the client sent."""
    found = run_error(error)
    return found if found.code == "internal" else ServeError("internal", "model_failed", found.message, found.detail)


def _checked(given: object, count: int) -> list:
    if not isinstance(given, list):
        raise Mistaken("Invalid model predict output")
    if len(given) != count:
        raise Mistaken("number of batch response mismatched")
    return given


def _status(code: object) -> int:
    return code if isinstance(code, int) and 200 <= code <= 599 else 200 if code is None else _FAILED


def _enveloped(entry: Callable[[list, object], object], envelope: str) -> Callable[[list, object], object]:
    kind = _ENVELOPES.get(envelope)
    if kind is None:
        raise refused(f"the envelope {envelope[:80]} is none of {', '.join(_ENVELOPES)}")
    module = importlib.import_module(f"ts.torch_handler.request_envelope.{envelope}")
    return getattr(module, kind)(entry).handle


def _ready(archive: Archive, context: object) -> Callable[[list, object], object]:
    """What takes batches: a function of the handler's module, or a method of its only class, which is initialized."""
    written = str(archive.model["handler"])
    try:
        return _initialized(archive, written, context)
    except ServeError:
        raise
    except BaseException as error:
        text = first_line(error)
        what = f"the handler {written[:80]} cannot be made ready: {type(error).__name__}{': ' if text else ''}{text}"
        if isinstance(error, ModuleNotFoundError):
            advice = "install it where its interpreter finds it (--python), and name it in the archive's requirements.txt"
            raise refused(f"{what}; {advice}", "python_missing", traceback.format_exc()) from error
        raise refused(what, "model_code_failed", traceback.format_exc()) from error


def _initialized(archive: Archive, written: str, context: object) -> Callable[[list, object], object]:
    place, _, function = written.partition(":")
    function = function or "handle"
    kind = _built_in(place) if not place.endswith(".py") and not _file_of(archive.folder, place).is_file() else None
    if kind is None:
        module = _module(archive.folder, place)
        entry = getattr(module, function, None)
        if entry is not None and not inspect.isclass(entry):
            # As TorchServe does: once without data, so that it can load what it needs.
            entry(None, context)
            return entry
        kind = _class_of(module, place)
    service = kind()
    entry = getattr(service, function, None)
    if entry is None:
        raise refused(f"the class {kind.__name__} of {place} has no method {function}")
    if hasattr(service, "initialize"):
        service.initialize(context)
    else:
        entry(None, context)
    return entry


def _built_in(name: str) -> type:
    if name in _BUILT_IN:
        try:
            return getattr(importlib.import_module(f"ts.torch_handler.{name}"), _BUILT_IN[name])
        except ImportError as error:
            raise refused(
                f"the built-in handler {name} needs Pillow beside PyTorch, which cannot be imported ({str(error)[:120]}): pip install pillow",
                "python_missing",
            ) from error
    known = ", ".join(_BUILT_IN)
    raise refused(f"MANIFEST.json names the handler {name[:80]}, which is neither in the archive nor built in ({known})")


def _file_of(folder: Path, place: str) -> Path:
    return folder / (place if place.endswith(".py") else f"{place}.py")


def _module(folder: Path, place: str) -> object:
    file = _file_of(folder, place)
    if not file.is_file() or file.parent != folder:
        raise refused(f"MANIFEST.json names the handler {place[:80]}, which is not in the archive: pack it again")
    return importlib.import_module(file.stem)


def _class_of(module: object, place: str) -> type:
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    # Helpers may lie beside the handler: the one that handles is meant.
    able = [kind for kind in own if hasattr(kind, "handle")] or own
    if able:
        return able[0]
    raise refused(f"{place} has neither a function handle(data, context) nor a class with a method handle")


def settings_of(config: Mapping[str, object]) -> int:
    """`batchSize` of model-config.yaml: 1 where it says nothing, as for TorchServe."""
    size = config.get("batchSize", 1)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 65_536:
        raise refused(f"batchSize in model-config.yaml must be a whole number from 1 on, got {ascii(str(size)[:40])}")
    return size
