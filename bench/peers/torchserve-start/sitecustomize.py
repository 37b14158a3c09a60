"""For the real TorchServe: torchvision has no build for a PyTorch without CUDA, so that the ops it asks for must exist before it is imported."""

import torch

torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
