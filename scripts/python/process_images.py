"""Processes images with every image processor that tasks know, as transformers does, and writes what each makes of them.

    python process_images.py TARGET

TARGET gets `files`, and for each processor a folder with preprocessor_config.json and the pixels of each image in float32.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import tasks.kit  # noqa: E402, F401
import transformers  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402
from tasks.pictures import pictures  # noqa: E402

#: What is set beside the processors' own defaults; large defaults would only make the test slow.
SETTINGS = {
    "ViT": [{}, {"size": {"height": 33, "width": 70}, "resample": 0}, {"do_normalize": False}],
    "DeiT": [{}],
    "Beit": [{"do_center_crop": True, "crop_size": {"height": 200, "width": 240}}],
    "CLIP": [{}, {"resample": 1, "size": {"shortest_edge": 60}, "crop_size": {"height": 48, "width": 96}}],
    "Bit": [{"do_center_crop": False, "size": {"shortest_edge": 41}}],
    "Siglip": [{"size": {"height": 64, "width": 64}}],
    "MobileNetV1": [{}],
    "MobileNetV2": [{"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}}],
    "MobileViT": [{}, {"do_flip_channel_order": False, "do_rescale": False}],
    "Levit": [{}],
    "ConvNext": [{"size": {"shortest_edge": 96}}, {"size": {"shortest_edge": 384}}],
    "Segformer": [{"size": {"height": 128, "width": 96}}],
    "Detr": [{"size": {"shortest_edge": 90, "longest_edge": 130}}],
    "ConditionalDetr": [{"size": {"shortest_edge": 60, "longest_edge": 333}}],
    "DeformableDetr": [{"size": {"max_height": 80, "max_width": 100}}],
    "RTDetr": [{"size": {"height": 160, "width": 96}}],
    "Yolos": [{"size": {"shortest_edge": 90, "longest_edge": 130}}],
}
PICTURES = ("china.jpg", "tall.jpg", "small.png", "turned.jpg")


def main(target: Path) -> None:
    found = pictures(target / "files")
    made = []
    for kind, settings in SETTINGS.items():
        for place, setting in enumerate(settings):
            folder = target / f"{kind}{place}"
            processor = getattr(transformers, f"{kind}ImageProcessor")(**setting)
            processor.save_pretrained(folder)
            for name in PICTURES:
                image = ImageOps.exif_transpose(Image.open(found[name])).convert("RGB")
                pixels = processor(images=[image], return_tensors="pt")["pixel_values"][0].float()
                pixels.numpy().tofile(folder / f"{name}.bin")
                made.append({"folder": folder.name, "file": name, "shape": list(pixels.shape)})
    print(json.dumps(made))


main(Path(sys.argv[1]))
