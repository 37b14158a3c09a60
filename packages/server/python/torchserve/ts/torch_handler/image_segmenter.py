"""The most likely class of each pixel. Needs Pillow."""

from __future__ import annotations

import torch
from torch.nn import functional

from .image_classifier import ImageNetHandler


class ImageSegmenter(ImageNetHandler):
    """For models that give `out`: numbers by class and pixel. An answer is rows of pixels of `[class, probability]`."""

    def postprocess(self, data):
        best = functional.softmax(data["out"], dim=1).max(dim=1)
        return torch.stack([best.indices.type(best.values.dtype), best.values], dim=3).tolist()
