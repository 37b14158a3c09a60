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
        wire = {"code": self.code, "reason": self.reason, "message": self.message}
        if self.detail is not None:
            wire["detail"] = self.detail
        return json.dumps(wire).encode()


_MOST_CHARACTERS = 300
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\w.+~-]*[/\\]){2,}([\w.+-]*)")


def first_line(error: BaseException) -> str:
    """What an error says, for a client: its first line, without folders."""
    lines = str(error).strip().splitlines() or [""]
    return _PATH.sub(r"\1", lines[0])[:_MOST_CHARACTERS]


def refused(message: str, reason: str = "model_refused", detail: str | None = None) -> ServeError:
    """The model cannot be served as it is; `message` says what to change."""
    return ServeError("failed_precondition", reason, message, detail)
