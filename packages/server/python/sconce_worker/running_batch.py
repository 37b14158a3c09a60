"""The requests of a handler with `continuousBatching`, which answers in several runs."""

from __future__ import annotations

import time
import uuid
from typing import Callable, List, NamedTuple, Protocol, Sequence, Tuple, Union

from .answers import REFUSED, Answer, answer_head, encode_answers
from .errors import ServeError
from .handler import Row

SendPiece = Callable[[int, bytes, bytes], None]
# Header and chunks of a result, and what must live until they are sent; or why there is none.
Outcome = Union[ServeError, Tuple[bytes, List[memoryview], object]]


class ContinuousModel(Protocol):
    def rows_of(self, header: memoryview, payload: memoryview) -> list[Row]: ...

    def step(self, rows: Sequence[Row], send_piece: SendPiece) -> list[tuple[Answer, bool]]: ...


class _Joined(NamedTuple):
    """A request of a batch that runs. `call_id`: of the call that it came with."""

    call_id: int
    row: Row
    send_piece: SendPiece
    started: float
    pieces: list[bytes]


class RunningBatch:
    """Requests that a handler answers in several runs, in which new ones join and those that are done leave (`continuousBatching`)."""

    def __init__(self, model: ContinuousModel) -> None:
        self._model = model
        self._joined: list[_Joined] = []

    @property
    def is_empty(self) -> bool:
        return not self._joined

    def join(self, call_id: int, header: memoryview, payload: memoryview, send_piece: SendPiece) -> None:
        """Raises ServeError."""
        rows = self._model.rows_of(header, payload)
        if len(rows) != 1:
            raise ServeError("internal", "worker_protocol", "the worker was sent several requests at once")
        # Handlers know requests by their ids.
        row = rows[0]._replace(request_id=rows[0].request_id or uuid.uuid4().hex)
        self._joined.append(_Joined(call_id, row, send_piece, time.perf_counter(), []))

    def leave(self, call_id: int) -> list[tuple[int, Outcome]]:
        """Its client is gone: it is done with what it has, and the handler does not see it again."""
        gone = [one for one in self._joined if one.call_id == call_id]
        self._joined = [one for one in self._joined if one.call_id != call_id]
        return [(call_id, _outcome(one, Answer(b"", 200, None, {}))) for one in gone]

    def step(self) -> list[tuple[int, Outcome]]:
        """Runs the handler once: what became of the calls that are done."""
        batch, self._joined, done = self._joined, [], []
        answers = self._model.step([one.row for one in batch], batch[0].send_piece)
        for one, (answer, is_last) in zip(batch, answers):
            if is_last:
                done.append((one.call_id, _outcome(one, answer)))
                continue
            if one.row.in_pieces:
                one.send_piece(0, answer_head(answer), answer.body)
            one.pieces.append(b"" if one.row.in_pieces else answer.body)
            self._joined.append(one)
        return done


def _outcome(one: _Joined, last: Answer) -> Outcome:
    if REFUSED not in last.headers:
        return encode_answers([last._replace(body=b"".join([*one.pieces, last.body]))], one.started)
    if one.row.in_pieces and one.pieces:
        # A part of the answer is with the client: no status can follow.
        return ServeError("internal", "model_failed", f"the handler failed after a part of its answer: {last.body.decode(errors='replace')[:200]}")
    return encode_answers([last], one.started)
