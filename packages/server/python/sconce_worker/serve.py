"""The life of a worker: says hello, then handles calls one at a time in the order they came."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
import traceback
from typing import Callable

from .archive_folder import remove_folders
from .errors import ServeError, first_line
from .frames import CALL, ERROR, HELLO, NO_ROW, NOTE, RESULT, Channel, Frame

_SOCKET_FD = 3
# As in packages/server/src/runtime/model-messages.ts.
_LOAD, _RUN, _WARM = 1, 2, 3
# Makes the kernel's out-of-memory killer take a worker (replaceable) before the server process (not).
_OOM_SCORE = "500"
# The row that a piece of an answer is of.
_ROW = struct.Struct("<I")
_OUTLIVED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_END_GRACE_S = 1.0


def serve() -> None:
    """Never returns."""
    _outlive_signals()
    channel = Channel(_SOCKET_FD)
    threading.Thread(target=_follow_server, daemon=True).start()
    worker = _Worker(channel)
    try:
        channel.send(HELLO, 0, 0, b"")
        while (frame := channel.receive()) is not None:
            worker.handle(frame)
    except OSError:
        pass
    _end()


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._model = None
        self._missing: ServeError | None = None
        try:
            # What takes seconds: a spare worker does it before anybody waits for it.
            from . import load
        except Exception as error:
            self._missing = _no_torch(error)
        else:
            self._load = load.load_model

    def handle(self, frame: Frame) -> None:
        if frame.kind == NOTE:
            return  # Of a call that is answered already.
        begin = getattr(self._model, "begin_batch", None) if frame.kind == CALL and frame.method == _RUN else None
        batch = begin() if begin is not None else None
        if batch is None:
            self._handle_alone(frame)
        else:
            self._run_continuously(batch, frame)

    def _run_continuously(self, batch: object, first: Frame) -> None:
        """Until no request is left; those that come meanwhile join."""
        frame: Frame | None = first
        while True:
            while frame is not None:
                if frame.kind == NOTE:
                    self._send_outcomes(batch.leave(frame.id))
                elif frame.kind != CALL or frame.method != _RUN:
                    self._handle_alone(frame)
                else:
                    self._join(batch, frame)
                frame = self._channel.receive_waiting()
            if batch.is_empty:
                return
            self._send_outcomes(batch.step())
            frame = self._channel.receive_waiting()

    def _send_outcomes(self, outcomes: list) -> None:
        for call_id, outcome in outcomes:
            if isinstance(outcome, ServeError):
                self._channel.send(ERROR, _RUN, call_id, outcome.encode())
            else:
                self._channel.send(RESULT, _RUN, call_id, outcome[0], outcome[1])

    def _join(self, batch: object, frame: Frame) -> None:
        try:
            batch.join(frame.id, frame.header, frame.payload, self._piece_sender(frame))
        except ServeError as error:
            self._channel.send(ERROR, _RUN, frame.id, error.encode())

    def _handle_alone(self, frame: Frame) -> None:
        try:
            header, chunks, keep = self._answer(frame)
        except BaseException as error:  # A model's SystemExit is a failure like any other.
            if frame.method == _LOAD:
                _log_load_failure(error)
            self._channel.send(ERROR, frame.method, frame.id, _encode_thrown(error))
            return
        self._channel.send(RESULT, frame.method, frame.id, header, chunks)
        del keep

    def _answer(self, frame: Frame) -> tuple[bytes, list[memoryview], object]:
        if frame.kind != CALL:
            raise ServeError("internal", "worker_protocol", "the worker was sent something else than a call")
        if self._missing is not None:
            raise self._missing
        if frame.method == _LOAD:
            return self._loaded(frame), [], None
        if frame.method == _RUN and self._model is not None:
            return self._model.run(frame.header, frame.payload, self._piece_sender(frame))
        raise ServeError("internal", "worker_protocol", "the worker was asked for what it cannot do")

    def _piece_sender(self, frame: Frame) -> Callable[[int, bytes, bytes], None]:
        def send(row: int, head: bytes, piece: bytes) -> None:
            if row == NO_ROW:
                self._channel.hold(NOTE, frame.method, frame.id, _ROW.pack(row) + head)
                return
            self._channel.send(NOTE, frame.method, frame.id, _ROW.pack(row) + head, [memoryview(piece)])

        return send

    def _loaded(self, frame: Frame) -> bytes:
        def progress(stage: str) -> None:
            self._channel.send(NOTE, frame.method, frame.id, stage.encode())

        self._model = self._load(json.loads(bytes(frame.header)), progress)
        return json.dumps(self._model.loaded).encode()


def _log_load_failure(thrown: BaseException) -> None:
    """Whole, where the error itself is a sentence; of a run that fails, the server process logs it."""
    detail = getattr(thrown, "detail", None) or (None if isinstance(thrown, ServeError) else traceback.format_exc())
    if detail is not None:
        print(detail, file=sys.stderr)


def _encode_thrown(thrown: BaseException) -> bytes:
    if isinstance(thrown, ServeError):
        return thrown.encode()
    return ServeError("internal", "internal", "an unexpected error", traceback.format_exc()).encode()


def _no_torch(error: BaseException) -> ServeError:
    name = os.path.basename(sys.executable)
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        why = f"the interpreter {name} has no PyTorch: run its `-m pip install torch`, or name another with --python"
    else:
        why = f"the interpreter {name} cannot import PyTorch: {type(error).__name__}: {first_line(error)}"
    detail = f"{sys.executable}: {traceback.format_exc()}"
    return ServeError("failed_precondition", "python_missing", why, detail)


def _outlive_signals() -> None:
    """Signals meant for the whole service are the server process's, which drains first and then closes the worker."""
    for name in _OUTLIVED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OOM_SCORE)
    except OSError:
        pass  # Not Linux, or not allowed: then the kernel chooses by size alone.


def _follow_server() -> None:
    """Ends this process when the server process is gone, although the model may still compute."""
    import select

    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(_SOCKET_FD, getattr(select, "POLLRDHUP", 0))
    poll.poll()
    threading.Event().wait(_END_GRACE_S)
    _end()


def _end() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    remove_folders()
    # Without waiting for threads that a model may have left.
    os._exit(0)
