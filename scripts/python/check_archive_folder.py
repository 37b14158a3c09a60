"""Unpacks archives that were made to do harm: `check_archive_folder.py`. Prints what is said of each, as JSON by name."""

import json
import os
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packages" / "server" / "python"))

from sconce_worker.archive_folder import remove_folders, unpack
from sconce_worker.errors import ServeError


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def names(*given):
    return [(name, b"x") for name in given]


CASES = {
    "plain": names("a.py", "folder/b.txt", "folder/deeper/c"),
    "up": names("../a"),
    "up in the middle": names("a/../../b"),
    "absolute": names("/tmp/a"),
    "backslash": names("..\\a"),
    "drive": names("c:a"),
    "link": [(link("a"), b"/etc/passwd")],
    "twice": names("a", "A"),
    "file and folder": names("a", "a/b"),
    "lock": names(".sconce-lock"),
    "many": names(*(f"f{index}" for index in range(10_001))),
    "bomb": [(f"zeros{index}", bytes(16 * 1024 * 1024)) for index in range(6)],
}


def main():
    said = {}
    with tempfile.TemporaryDirectory() as home:
        tempfile.tempdir = os.path.join(home, "unpacked")
        os.mkdir(tempfile.tempdir)
        for case, entries in CASES.items():
            path = Path(home) / "archive.mar"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                for name, content in entries:
                    file.writestr(name, content)
            said[case] = outcome(path)
        Path(path).write_bytes(path.read_bytes()[:-30])
        said["cut off"] = outcome(path)
        # As a worker leaves it that is killed.
        left = Path(tempfile.mkdtemp(prefix="sconce-archive-"))
        (left / ".sconce-lock").touch()
        outcome(path)
        said["left"] = sorted(os.listdir(tempfile.tempdir))
        said["outside"] = sorted(name for name in os.listdir(home) if name not in ("archive.mar", "unpacked"))
    print(json.dumps(said))


def outcome(path):
    try:
        folder = unpack(path)
        found = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
        return [name for name in found if not name.startswith(".")]
    except ServeError as error:
        return error.message
    finally:
        remove_folders()


main()
