"""torchvision of the package index is built for CUDA; on other machines two of its operators have to be there before it is imported."""

import importlib.util

if importlib.util.find_spec("torch") is not None:
    import torch

    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
