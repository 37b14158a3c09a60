"""What handlers of streamed answers import."""

from __future__ import annotations

import importlib
from typing import Mapping, Sequence


def import_class(class_name: str, module_prefix: str | None = None):
    """The class that `module.Class` names, below the package `module_prefix` if one is given."""
    module, _, name = (class_name or "").rpartition(".")
    place = ".".join(part for part in (module_prefix or "", module) if part)
    if not name or not place:
        raise ImportError(f"no class is named by {class_name!r}: say module.Class")
    found = getattr(importlib.import_module(place), name, None)
    if found is None:
        raise ImportError(f"there is no {name} in {place}")
    return found


def send_intermediate_predict_response(ret: Sequence[object], req_id_map: Mapping[int, str], message: str, code: int, context) -> None:
    """Sends a piece of each answer of the batch now; what the handler returns is the last piece."""
    context.send_part(ret)
