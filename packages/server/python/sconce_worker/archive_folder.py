"""Unpacks an archive into a folder of this worker's own, which goes when the worker does."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from .errors import refused

_PREFIX = "sconce-archive-"
_LOCK = ".sconce-lock"
_MAX_FILES = 10_000
_MAX_NAME_BYTES = 1024
# Weights hardly get smaller when they are packed, so that what grows beyond this was made to fill disks.
_FREE_BYTES = 64 * 1024 * 1024
_MAX_GROWTH = 20
_CHUNK_BYTES = 1024 * 1024

_folders: list[Path] = []
# Held until the process ends, however it ends: a folder whose lock is free is nobody's.
_locks: list[int] = []


def unpack(archive: Path) -> Path:
    """The folder that holds what the archive does. Raises ServeError for an archive that no tool makes."""
    _remove_left_over()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    _folders.append(folder)
    _lock(folder)
    try:
        _fill(folder, archive)
    except BaseException:
        remove_folders()
        raise
    return folder


def _fill(folder: Path, archive: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            _extract(file, folder, _FREE_BYTES + _MAX_GROWTH * os.stat(archive).st_size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        # Without the folder, which an OSError names.
        why = getattr(error, "strerror", None) or str(error)[:200]
        raise refused(f"{archive.name} cannot be unpacked: {why}", "model_file_corrupt") from error


def remove_folders() -> None:
    """What this worker unpacked."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    _folders.clear()


def _extract(file: zipfile.ZipFile, folder: Path, most_bytes: int) -> None:
    entries = file.infolist()
    if len(entries) > _MAX_FILES:
        raise refused(f"the archive has {len(entries)} entries; the most that is unpacked is {_MAX_FILES}")
    seen: set[str] = set()
    left = most_bytes
    for entry in entries:
        path = _checked(entry)
        if path.as_posix().lower() in seen:
            raise refused(f"the archive has {_shown(entry.filename)} twice; pack it again")
        seen.add(path.as_posix().lower())
        target = folder / path
        if entry.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        left -= _copy(file, entry, target, left)


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where an entry goes below the folder. The kinds and names that lead elsewhere are refused."""
    # zipfile cuts a name at a zero byte; the other readers of the same file might not.
    name = getattr(entry, "orig_filename", entry.filename)
    path = PurePosixPath(name)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    is_odd = "\\" in name or "\0" in name or ":" in name or len(name.encode()) > _MAX_NAME_BYTES
    if is_odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise refused(f"the archive has an entry named {_shown(name)}, which leads out of it or is no name; pack it again")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise refused(f"the entry {_shown(name)} of the archive is a link or a device; pack the file itself")
    if path.name == _LOCK:
        raise refused(f"the archive has an entry named {_LOCK}, which is taken; give it another name")
    return path


def _copy(file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most_bytes: int) -> int:
    """Copies an entry and gives its size, which is counted and not believed."""
    size = 0
    with file.open(entry) as source, open(target, "xb") as copy:
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > most_bytes:
                raise refused(
                    f"the archive unpacks to more than {_MAX_GROWTH} times its size; unpack it yourself, look at it, and pack what is needed"
                )
            copy.write(chunk)
    return size


def _shown(name: str) -> str:
    return ascii(name[:80])


def _lock(folder: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return
    # Locked before it has its name: until then nobody takes the folder for left over.
    unnamed = folder / f"{_LOCK}-new"
    lock = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(unnamed, folder / _LOCK)
    _locks.append(lock)


def _remove_left_over() -> None:
    """Folders of workers that were killed."""
    try:
        import fcntl
    except ImportError:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.is_symlink() or os.stat(folder).st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue  # Another worker is about to lock it, or has just removed it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # Its worker lives.
        finally:
            os.close(lock)
