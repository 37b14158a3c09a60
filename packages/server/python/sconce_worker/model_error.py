"""What a model threw, as an error that a client may see."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from .errors import ServeError

# PyTorch's words that blame the inputs. None of them holds more than sizes and numbers.
_INPUT_FAULTS = [
    re.compile(pattern)
    for pattern in (
        r"index out of range in self",
        r"index \d+ is out of bounds for dimension \d+ with size \d+",
        r"The size of tensor a \(\d+\) must match the size of tensor b \(\d+\) at non-singleton dimension \d+",
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x\d+ and \d+x\d+\)",
        r"shape '\[[-\d, ]*\]' is invalid for input of size \d+",
        r"Calculated padded input size per channel: \([\d x]+\)\. Kernel size: \([\d x]+\)\. Kernel size can't be greater than actual input size",
        r"Sizes of tensors must match except in dimension \d+\. Expected size \d+ but got size \d+ for tensor number \d+ in the list",
    )
]
_MEMORY = re.compile(r"can't allocate memory|out of memory", re.IGNORECASE)


def run_error(thrown: BaseException) -> ServeError:
    """`invalid_argument` where PyTorch blames the inputs, else `internal`; the traceback is for the log."""
    if isinstance(thrown, ServeError):
        return thrown
    detail = "".join(traceback.format_exception(type(thrown), thrown, thrown.__traceback__))
    text = str(thrown)
    for pattern in _INPUT_FAULTS:
        match = pattern.search(text)
        if match is not None and isinstance(thrown, (RuntimeError, IndexError)):
            return ServeError("invalid_argument", "invalid_input", f"the model does not take these inputs: {match[0]}", detail)
    if isinstance(thrown, MemoryError) or _MEMORY.search(text):
        return ServeError("internal", "model_failed", "the model ran out of memory; send fewer rows", detail)
    where = _place(thrown)
    return ServeError(
        "internal",
        "model_failed",
        f"the model raised {type(thrown).__name__}{where}; the server's log has the traceback",
        detail,
    )


def _place(thrown: BaseException) -> str:
    """The last line of the model's own code on the way, without its folder."""
    ours = str(Path(__file__).parent)
    torch_parts = {"torch", "site-packages"}
    frames = traceback.extract_tb(thrown.__traceback__)
    own = [f for f in frames if not f.filename.startswith(ours) and torch_parts.isdisjoint(Path(f.filename).parts)]
    own = [f for f in own if not f.filename.startswith("<")]
    return f" at line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
