"""What a handler answers, and how it travels."""

from __future__ import annotations

import io
import json
import time
from typing import NamedTuple, Sequence

import torch

from .byte_tensors import encode_byte_tensors

# Marks the answer of a handler that refused its request. As in packages/server/src/edge/torchserve/handler-call.ts.
REFUSED = "x-sconce-failed"


class Answer(NamedTuple):
    body: bytes
    status: int
    content_type: str | None
    headers: dict[str, str]


class Mistaken(Exception):
    """A handler gave what is no answer, in TorchServe's words."""


def encoded(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, torch.Tensor):
        file = io.BytesIO()
        torch.save(value, file)
        return file.getvalue()
    try:
        return json.dumps(value, indent=2).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Mistaken("Unsupported model output data type.") from error


def answer_head(answer: Answer) -> bytes:
    said: dict[str, object] = {"status": answer.status}
    if answer.content_type:
        said["type"] = answer.content_type
    if answer.headers:
        said["headers"] = answer.headers
    return json.dumps(said).encode()


def encode_answers(answers: Sequence[Answer], started: float) -> tuple[bytes, list[memoryview], object]:
    """Header and chunks of the result of a call that began at `started`, and what must live until they are sent."""
    compute_ms = (time.perf_counter() - started) * 1000
    result = [[answer.body for answer in answers], [answer_head(answer) for answer in answers]]
    header, chunks = encode_byte_tensors(result, compute_ms)
    return header, chunks, result
