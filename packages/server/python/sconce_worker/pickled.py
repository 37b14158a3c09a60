"""A whole module that was pickled: reading it runs code, so the operator must have said that it may."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Mapping

import torch

from .code import program_of
from .errors import first_line, refused
from .program import Program


def open_pickle(path: Path, options: Mapping[str, object], device: torch.device) -> Program:
    """Raises ServeError."""
    if not options.get("allowsPickle"):
        raise refused(
            f"{path.name} is a pickle, and reading it would run code: save model.state_dict() and put model.py beside it, "
            "or, if you trust the file, start with --allow-pickle",
            "pickle_refused",
        )
    # Its classes may lie beside it.
    sys.path.insert(0, str(path.parent))
    os.chdir(path.parent)
    try:
        model = torch.load(path, map_location="cpu", weights_only=False)
    except BaseException as error:
        raise refused(
            f"{path.name} cannot be unpickled: {type(error).__name__}: {first_line(error)}", "model_code_failed", traceback.format_exc()
        ) from error
    if not isinstance(model, torch.nn.Module):
        raise refused(
            f"{path.name} holds a {type(model).__name__} and no module: put the model.py beside it that makes the model",
            "weights_only",
        )
    module = sys.modules.get(type(model).__module__)
    return program_of(
        model,
        options,
        device,
        module=module,
        files=[path],
        kind=f"it is a pickled {type(model).__name__}",
        where=f"the pickled {type(model).__name__}",
    )
