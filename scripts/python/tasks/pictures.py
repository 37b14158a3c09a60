"""Images of every kind that a client sends: photographs that scikit-learn carries, and what PIL makes of them."""

from functools import cache
from pathlib import Path

import numpy
import sklearn
from PIL import Image

PHOTOS = Path(sklearn.__file__).parent / "datasets" / "images"


@cache
def pictures(folder: Path):
    """The paths of the images, by what is odd about each."""
    folder.mkdir(parents=True, exist_ok=True)
    china, flower = Image.open(PHOTOS / "china.jpg"), Image.open(PHOTOS / "flower.jpg")
    small = china.resize((97, 61))
    alpha = flower.crop((100, 50, 311, 250)).convert("RGBA")
    alpha.putalpha(Image.fromarray(numpy.tile(numpy.arange(211, dtype=numpy.uint8), (200, 1))))
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {
        "china.jpg": lambda path: path.write_bytes((PHOTOS / "china.jpg").read_bytes()),
        "flower.jpg": lambda path: path.write_bytes((PHOTOS / "flower.jpg").read_bytes()),
        "small.png": lambda path: small.save(path),
        "tall.jpg": lambda path: china.crop((0, 0, 64, 400)).save(path, quality=95),
        "grey.jpg": lambda path: china.convert("L").save(path),
        "alpha.png": lambda path: alpha.save(path),
        "palette.png": lambda path: small.quantize(32).save(path),
        "turned.jpg": lambda path: small.save(path, exif=exif),
        "photo.webp": lambda path: small.save(path, quality=80),
        "exact.webp": lambda path: small.save(path, lossless=True),
    }
    for name, save in made.items():
        save(folder / name)
    return {name: folder / name for name in made}
