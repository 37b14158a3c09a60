"""Times a handler's steps."""

from __future__ import annotations

import functools
import time


def timed(func):
    """Reports how long a method of a handler took, under `ts_handler_` and its name, where model-config.yaml asks for it (`handler: profile`)."""

    @functools.wraps(func)
    def wrapper(self, *args, **kwargs):
        settings = (getattr(self, "model_yaml_config", None) or {}).get("handler")
        context = getattr(self, "context", None)
        if not isinstance(settings, dict) or not settings.get("profile") or context is None or context.metrics is None:
            return func(self, *args, **kwargs)
        started = time.perf_counter()
        try:
            return func(self, *args, **kwargs)
        finally:
            context.metrics.add_time(f"ts_handler_{func.__name__}", (time.perf_counter() - started) * 1000)

    return wrapper
