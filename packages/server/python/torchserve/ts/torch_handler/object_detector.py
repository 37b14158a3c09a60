"""What is seen in images, and where. Needs Pillow."""

from __future__ import annotations

from ..utils.util import map_class_to_label
from .vision_handler import VisionHandler


class ObjectDetector(VisionHandler):
    """For models that give `boxes`, `labels` and `scores` of each image; what scores less than `threshold` is left out."""

    threshold = 0.5

    def postprocess(self, data):
        return [self._found(row) for row in data]

    def _found(self, row) -> list:
        kept = row["scores"] >= self.threshold
        boxes, labels, scores = (row[key][kept].tolist() for key in ("boxes", "labels", "scores"))
        return [
            {**map_class_to_label([[box]], self.mapping, [[label]])[0], "score": score}
            for box, label, score in zip(boxes, labels, scores)
        ]
