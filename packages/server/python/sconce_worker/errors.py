"""Errors with a code and a reason, as the server process knows them."""

from __future__ import annotations

import json
import re


class ServeError(Exception):
    """`code` and `reason` are those of packages/protocol; `message` is for the client, `detail` for the log alone."""

    def __init__(self, code: str, reason: str, message: str, detail: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.detail = detail

    def encode(self) -> bytes:
        """The header of an error frame."""
        wire = {"code": self.code, "reason": self.reason, "message": _shortened(self.message, _MOST_OF_MESSAGE)}
        if self.detail is not None:
            wire["detail"] = _shortened(self.detail, _MOST_OF_DETAIL)
        return json.dumps(wire).encode()


_MOST_CHARACTERS = 300
# What a model says of a failure may be of any length; a frame may not.
_MOST_OF_MESSAGE = 8_192
_MOST_OF_DETAIL = 65_536
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\w.+~-]*[/\\]){2,}([\w.+-]*)")


def _shortened(text: str, most: int) -> str:
    """Its beginning and its end: a traceback ends with what was raised."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {len(text) - most} characters left out … {text[-(most - most // 2) :]}"


def first_line(error: BaseException) -> str:
    """What an error says, for a client: its first line, without folders."""
    lines = str(error).strip().splitlines() or [""]
    return _PATH.sub(r"\1", lines[0])[:_MOST_CHARACTERS]


def refused(message: str, reason: str = "model_refused", detail: str | None = None) -> ServeError:
    """The model cannot be served as it is; `message` says what to change."""
    return ServeError("failed_precondition", reason, message, detail)
