"""The most likely classes of images. Needs Pillow."""

from __future__ import annotations

import torch
from PIL import Image
from torch.nn import functional

from ..utils.util import map_class_to_label
from .vision_handler import VisionHandler

_SHORT_SIDE = 256
_CROP = 224
# What the models of ImageNet were trained with.
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_SPREAD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class ImageNetHandler(VisionHandler):
    """Images in the size and scale of ImageNet's."""

    def image_processing(self, image: Image.Image) -> torch.Tensor:
        """As torchvision's Resize(256), CenterCrop(224), ToTensor and Normalize do it."""
        width, height = image.size
        short = min(width, height)
        size = (_SHORT_SIDE * width // short, _SHORT_SIDE * height // short)
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = round((size[0] - _CROP) / 2), round((size[1] - _CROP) / 2)
        image = image.crop((left, top, left + _CROP, top + _CROP))
        return (super().image_processing(image) - _MEAN) / _SPREAD


class ImageClassifier(ImageNetHandler):
    """For models that give a number per class of ImageNet-sized images; names of classes come from index_to_name.json."""

    topk = 5

    def set_max_result_classes(self, topk: int) -> None:
        self.topk = topk

    def get_max_result_classes(self) -> int:
        return self.topk

    def postprocess(self, data):
        probabilities = functional.softmax(data, dim=1)
        best, classes = torch.topk(probabilities, min(self.topk, probabilities.shape[1]), dim=1)
        return map_class_to_label(best.tolist(), self.mapping, classes.tolist())
