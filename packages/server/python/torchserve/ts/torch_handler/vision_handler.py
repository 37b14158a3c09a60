"""Images as batches of tensors. Needs Pillow."""

from __future__ import annotations

import base64
import io
from abc import ABC

import torch
from PIL import Image

from .base_handler import BaseHandler

# Of an image, unpacked: a small file may claim any size. Pillow itself warns from half of it on.
_MAX_PIXELS = 178_956_970


class VisionHandler(BaseHandler, ABC):
    """Takes images as files, as base64 text, or as lists of numbers; derived classes say how they are scaled (`image_processing`)."""

    def image_processing(self, image: Image.Image) -> torch.Tensor:
        """Numbers from 0 to 1, as [colour, row, column]. A derived class may put transforms of torchvision here."""
        width, height = image.size
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(height, width, 3)
        return pixels.permute(2, 0, 1).contiguous().float().div(255)

    def initialize(self, context) -> None:
        super().initialize(context)
        limits = context.system_properties.get("limit_max_image_pixels", True)
        Image.MAX_IMAGE_PIXELS = _MAX_PIXELS // 2 if limits else None

    def preprocess(self, data):
        return torch.stack([self._tensor_of(row.get("data") or row.get("body")) for row in data]).to(self.device)

    def _tensor_of(self, image):
        if isinstance(image, str):
            image = base64.b64decode(image)
        if isinstance(image, (bytearray, bytes)):
            return self.image_processing(Image.open(io.BytesIO(image)).convert("RGB"))
        return torch.FloatTensor(image)

    def get_insights(self, tensor_data, _, target=0):
        """How much each number of an image weighs. Needs captum."""
        from captum.attr import IntegratedGradients

        return IntegratedGradients(self.model).attribute(tensor_data, target=target, n_steps=15).tolist()
