"""The files a model was loaded from: what they are, and whether they still are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Iterable

from .errors import ServeError

# Larger files are identified by size, modification time and both ends instead of all their bytes.
_FULL_HASH_MAX_BYTES = 512 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


def stamp_of(path: Path) -> dict[str, object]:
    """As packages/server/src/runtime/file-stamp.ts makes it: the numbers must be equal to the last bit."""
    real = os.path.realpath(path)
    stats = os.stat(real)
    return {
        "path": real,
        "inode": stats.st_ino,
        "size": stats.st_size,
        "mtimeMs": _milliseconds(stats.st_mtime_ns),
        "ctimeMs": _milliseconds(stats.st_ctime_ns),
        "metadata": f"{stats.st_uid}:{stats.st_gid}:{stats.st_mode}:{stats.st_nlink}",
    }


def check_unchanged(stamps: list[dict[str, object]]) -> None:
    """Raises ServeError when a file may have been written into since it was stamped."""
    for stamp in stamps:
        now = stamp_of(Path(str(stamp["path"]))) if os.path.exists(str(stamp["path"])) else stamp
        same_file = now["inode"] == stamp["inode"]
        if same_file and (now["mtimeMs"], now["size"]) != (stamp["mtimeMs"], stamp["size"]):
            raise ServeError(
                "unavailable",
                "model_file_changed",
                "the model's file changed while it was served, so what it gives now is worth nothing; load the model again",
            )


def digest_of(paths: Iterable[Path], options: str) -> str:
    """Hex SHA-256 of what decides about the answers: the files' bytes, and options."""
    whole = hashlib.sha256(options.encode())
    for path in paths:
        whole.update(_file_digest(path))
    return whole.hexdigest()


def _file_digest(path: Path) -> bytes:
    own = hashlib.sha256()
    with open(path, "rb") as file:
        stats = os.fstat(file.fileno())
        is_whole = stats.st_size <= _FULL_HASH_MAX_BYTES
        if not is_whole:
            own.update(f"{stats.st_size}:{stats.st_mtime_ns}".encode())
            own.update(file.read(_CHUNK_BYTES))
            file.seek(-_CHUNK_BYTES, os.SEEK_END)
        while chunk := file.read(_CHUNK_BYTES):
            own.update(chunk)
    return own.digest()


def _milliseconds(nanoseconds: int) -> float:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return seconds * 1000.0 + rest / 1_000_000.0
