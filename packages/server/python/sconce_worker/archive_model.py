"""A TorchServe archive as a model: requests as rows of bytes, answered by its handler."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

import torch

from .answers import Answer, answer_head, encode_answers
from .archive_folder import remove_folders, unpack
from .byte_tensors import decode_byte_tensors
from .errors import ServeError, refused
from .files import digest_of, stamp_of
from .frames import NO_ROW
from .handler import ONE_REQUEST, Handler, Row, settings_of
from .manifest import Archive, read_archive
from .running_batch import RunningBatch

_JSON = "application/json"
# Of a sequence, where model-config.yaml does not say, and the most that it may say: eleven days.
_IDLE_MS = 600_000
_MOST_IDLE_MS = 1_000_000_000
# Of one request's body; the server process has a limit of its own for all of a request.
_MAX_ROW_BYTES = 2**31 - 1


def is_archive(file: Path) -> bool:
    import zipfile

    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return bool({"MAR-INF/MANIFEST.json", "WAR-INF/MANIFEST.json"} & set(archive.namelist()))


class ArchiveModel:
    def __init__(self, handler: Handler, is_continuous: bool = False) -> None:
        self._handler = handler
        self.is_continuous = is_continuous
        # Of the `load` call's result.
        self.loaded: dict[str, object] = {}

    def begin_batch(self) -> RunningBatch | None:
        """For requests that join while others run; None: each batch runs alone."""
        return RunningBatch(self) if self.is_continuous else None

    def rows_of(self, header: memoryview, payload: memoryview) -> list[Row]:
        bodies, heads = decode_byte_tensors(header, payload)
        return [_row(body, head) for body, head in zip(bodies, heads)]

    def run(
        self, header: memoryview, payload: memoryview, send_piece: Callable[[int, bytes, bytes], None]
    ) -> tuple[bytes, list[memoryview], object]:
        """Header and chunks of the result, and what must live until they are sent. Raises ServeError."""
        rows = self.rows_of(header, payload)
        started = time.perf_counter()
        try:
            answers = self._handler.answer(rows, lambda row, answer: send_piece(row, answer_head(answer), answer.body))
        finally:
            self._send_reports(send_piece)
        return encode_answers(answers, started)

    def step(self, rows: Sequence[Row], send_piece: Callable[[int, bytes, bytes], None]) -> list[tuple[Answer, bool]]:
        """One run of a handler that answers in several: the next piece of each row's answer, and whether it is the last."""
        answers = self._handler.step(rows)
        self._send_reports(send_piece)
        return answers

    def _send_reports(self, send_piece: Callable[[int, bytes, bytes], None]) -> None:
        reports = self._handler.take_reports()
        if reports:
            send_piece(NO_ROW, json.dumps(reports).encode(), b"")


def load_archive(message: Mapping[str, object], device: torch.device, progress: Callable[[str], None]) -> ArchiveModel:
    """Unpacks the archive, and makes its handler ready. `message`: of the `load` call. Raises ServeError."""
    try:
        return _load(message, device, progress)
    except BaseException:
        remove_folders()
        raise


def _load(message: Mapping[str, object], device: torch.device, progress: Callable[[str], None]) -> ArchiveModel:
    spec, wants_digest = message["spec"], message["wantsDigest"]
    options = {**spec["options"], **(spec["options"].get("python") or {})}
    if options["precision"] != "float32" or options.get("weightsFile") or options.get("rename"):
        raise refused("precision, weights and rename are not for TorchServe archives: leave them out", "option_unsupported")
    file = Path(spec["file"])
    started = time.perf_counter()
    stamps = [stamp_of(file)]
    progress("unpack")
    archive = read_archive(unpack(file), str(options.get("class") or ""))
    envelope = options.get("envelope") or str(archive.model.get("envelope") or "")
    batch_size = 1 if envelope in ONE_REQUEST else options.get("maxBatchSize") or settings_of(archive.config)
    asked = _asked(archive.config)
    turns = _turns(archive.config)
    if turns is not None:
        # A sequence's state is in one worker.
        asked["instances"] = 1
    if archive.config.get("deviceType") == "cpu":
        device = torch.device("cpu")
    if options.get("mayUseFewerThreads") and "instances" in asked:
        torch.set_num_threads(max(1, options["threadsPerInstance"] // asked["instances"]))
    progress("initialize")
    handler = Handler(archive, str(spec["name"]), device, batch_size, bool(options.get("allowsPickle")), envelope)
    is_continuous = archive.config.get("continuousBatching") is True and turns is None
    model = ArchiveModel(handler, is_continuous)
    written = str(archive.model["handler"])[:80]
    version = str(archive.model.get("modelVersion", ""))[:40]
    model.loaded = {
        "description": {
            "signature": _signature(1 if is_continuous else batch_size),
            **({"runsAtOnce": batch_size} if is_continuous else {}),
            "platform": "torchserve_mar",
            "runtime": "python",
            "runtimeReason": f"it is a TorchServe archive (version {version or 'unknown'}) with the handler {written}, run by PyTorch {torch.__version__}",
            **({} if device.type == "cpu" else {"computesOn": str(device)}),
            "parameterCount": 0,
            "weightBytes": file.stat().st_size,
            "asks": asked,
            **({} if turns is None else {"turns": turns}),
            "warnings": _warnings(archive, str(spec["name"])),
            "digest": digest_of([file], str(device)) if wants_digest else "",
            "loadMs": {"load": (time.perf_counter() - started) * 1000},
        },
        "files": stamps,
        "isWarm": True,
    }
    return model


# What model-config.yaml calls what a file may ask of its server, and how many of our units one of its own is.
_ASKS = {
    "minWorkers": ("instances", 1),
    "maxBatchDelay": ("maxQueueDelayMs", 1),
    "responseTimeout": ("executionTimeoutMs", 1000),
    "jobQueueSize": ("maxQueueSize", 1),
}


def _whole(config: Mapping[str, object], key: str, most: int = 1_000_000) -> int:
    value = config.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise refused(f"{key} in model-config.yaml must be a whole number, got {ascii(str(value)[:40])}")
    return value


def _asked(config: Mapping[str, object]) -> dict[str, int]:
    """Raises ServeError for what is no number."""
    asked = {}
    for key, (name, scale) in _ASKS.items():
        value = _whole(config, key)
        if value > 0:
            asked[name] = value * scale
    return asked


def _turns(config: Mapping[str, object]) -> dict[str, int] | None:
    """How the sequences of a handler that keeps their state are run; None for any other. Raises ServeError."""
    if config.get("sequenceBatching") is not True:
        return None
    idle = _whole(config, "sequenceMaxIdleMSec", _MOST_IDLE_MS)
    most, waiting = _whole(config, "maxNumSequence"), _whole(config, "maxSequenceJobQueueSize")
    # As TorchServe has it: a batch full of them is always possible.
    return {"idleMs": idle or _IDLE_MS, "maxSequences": max(most, settings_of(config), 1), "maxWaiting": max(waiting, 1)}


_UNREAD = (
    "sequenceTimeoutMSec",
    "parallelType",
    "parallelLevel",
    "torchrun",
    "deviceIds",
    "asyncCommunication",
    "useVenv",
    "startupTimeout",
    "clientTimeoutInMills",
)


def _warnings(archive: Archive, name: str) -> list[str]:
    config, own = archive.config, archive.model.get("modelName")
    other = f"the archive calls the model {ascii(str(own)[:80])}; it is served under the name of its file, {name}"
    named = [] if own is None or own == name else [other]
    if config.get("sequenceBatching") is True and _whole(config, "minWorkers") > 1:
        named.append("model-config.yaml says sequenceBatching and minWorkers: a sequence's state is in one worker, so that there is one")
    return named + [f"model-config.yaml says {key}, which is not followed" for key in _UNREAD if key in config]


def _signature(batch_size: int) -> dict[str, object]:
    dims = [{"symbol": "batch", "min": 1}]
    return {
        "inputs": [
            {"name": "body", "datatype": "BYTES", "dims": dims, "maxElementBytes": _MAX_ROW_BYTES},
            {"name": "head", "datatype": "BYTES", "dims": dims},
        ],
        "outputs": [{"name": "response", "datatype": "BYTES", "dims": dims}, {"name": "response_head", "datatype": "BYTES", "dims": dims}],
        "batching": {"kind": "on", "symbol": "batch", "maxRows": batch_size},
    }


def _row(body: memoryview, head: memoryview) -> Row:
    """`head`: empty, or `{"id", "headers", "inPieces", "parts": [{"name", "type", "bytes"}]}`; the parts lie in `body` one after another."""
    try:
        said = json.loads(bytes(head)) if len(head) else {}
        headers = {str(name): str(value) for name, value in said.get("headers", {}).items()}
        parts = [(str(p["name"]), str(p.get("type", "")), int(p["bytes"])) for p in said["parts"]] if "parts" in said else None
    except (ValueError, OverflowError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise _bad_head("it is not what the protocol says") from error
    if parts is None:
        content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        parts = [("body", content_type.split(";", 1)[0].strip().lower(), len(body))]
    if sum(size for _, _, size in parts) != len(body) or any(size < 0 for _, _, size in parts):
        raise _bad_head("its parts are not as long as the body")
    fields: dict[str, object] = {}
    of_parts: dict[str, object] = {}
    at = 0
    for name, content_type, size in parts:
        fields[name] = _value(bytearray(body[at : at + size]), content_type)
        of_parts[name] = {"content-type": content_type}
        at += size
    return Row(str(said.get("id", "")), fields, {**of_parts, **headers}, said.get("inPieces") is True)


def _bad_head(why: str) -> ServeError:
    return ServeError("invalid_argument", "invalid_input", f'the input "head" cannot be read: {why}')


def _value(data: bytearray, content_type: str) -> object:
    """JSON is parsed and text decoded; what is neither, whatever it is called, stays bytes."""
    try:
        if content_type == _JSON:
            return json.loads(data.decode())
        if content_type.startswith("text"):
            return data.decode()
    except (ValueError, RecursionError):
        pass
    return data
