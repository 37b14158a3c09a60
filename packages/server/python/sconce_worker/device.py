"""Where a model computes."""

from __future__ import annotations

import re

import torch

from .errors import refused

_NAME = re.compile(r"^(cpu|cuda(:[0-9]{1,3})?)$")
_ONNX_ONLY = re.compile(r"^(coreml|webgpu|dml(:[0-9]{1,3})?)$")


def device_of(text: str, instance: int) -> torch.device:
    """The device of one of a model's instances, which share out those that `text` names. Raises ServeError."""
    count = torch.cuda.device_count()
    if text == "auto":
        names = [f"cuda:{index}" for index in range(count)] or ["cpu"]
    else:
        names = [name.strip() for name in text.split(",")]
    for name in names:
        if _ONNX_ONLY.match(name):
            raise refused(f"device: {name} is not there: PyTorch computes on cpu and cuda", "device_missing")
        if not _NAME.match(name):
            raise refused(f"device: expected cpu, cuda, cuda:N or auto, got {name[:40]!r}", "option_unsupported")
        if name != "cpu" and int((name.split(":") + ["0"])[1]) >= count:
            raise refused(f"device: {name} is not there: PyTorch sees {count} CUDA devices", "device_missing")
    device = torch.device(names[instance % len(names)])
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # As exact as eager PyTorch is on the processor.
        torch.backends.cudnn.allow_tf32 = False
    return device
