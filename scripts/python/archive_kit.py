"""Packs TorchServe archives, as torch-model-archiver lays them out."""

import json
import os
import tempfile
import zipfile

CREATED = "30/11/2026 00:00:00"


def saved(save, suffix):
    """The bytes that `save` writes to the path it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"file{suffix}")
        save(path)
        with open(path, "rb") as file:
            return file.read()


def write_archive(target, files, model):
    """`files`: contents by their names in the archive; `model`: what its manifest says of it."""
    manifest = {"createdOn": CREATED, "runtime": "python", "model": model, "archiverVersion": "0.12.0"}
    write_zip(target, {**files, "MAR-INF/MANIFEST.json": json.dumps(manifest, indent=2)})


def write_zip(target, files):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in files.items():
            file.writestr(path, content)


def bright_picture(folder):
    from PIL import Image

    Image.new("RGB", (320, 240), (250, 250, 250)).save(os.path.join(folder, "bright.png"))
