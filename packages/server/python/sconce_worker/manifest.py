"""What a TorchServe archive says of itself."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Mapping, NamedTuple

from .errors import refused

_MAX_BYTES = 1024 * 1024
_WORKFLOW = Path("WAR-INF", "MANIFEST.json")
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*)")


class Archive(NamedTuple):
    """An archive that was unpacked into `folder`."""

    folder: Path
    # The whole MANIFEST.json, for handlers.
    manifest: Mapping[str, object]
    # Its part about the model.
    model: Mapping[str, object]
    # model-config.yaml; empty where there is none.
    config: Mapping[str, object]


def read_archive(folder: Path, function: str = "") -> Archive:
    """`function`: of a workflow's code, the one that is meant. Raises ServeError for what is missing or is no manifest."""
    if (folder / _WORKFLOW).is_file():
        return _function_of_workflow(folder, function)
    manifest = _json(folder / "MAR-INF" / "MANIFEST.json")
    model = manifest.get("model") if isinstance(manifest, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("handler"), str):
        raise refused("MAR-INF/MANIFEST.json names no handler: pack the archive again with torch-model-archiver")
    for key in ("serializedFile", "modelFile", "configFile", "requirementsFile"):
        _check_file(folder, key, model.get(key))
    archive = Archive(folder, manifest, model, _config(folder, model.get("configFile")))
    _check_requirements(folder, model.get("requirementsFile"))
    return archive


def _function_of_workflow(folder: Path, function: str) -> Archive:
    manifest = _json(folder / _WORKFLOW)
    workflow = manifest.get("workflow") if isinstance(manifest, dict) else None
    handler = workflow.get("handler") if isinstance(workflow, dict) else None
    if not isinstance(handler, str) or not function.isidentifier():
        raise refused("it is a workflow of TorchServe, which is no model by itself: POST /workflows registers it (--compat torchserve)")
    _check_file(folder, "handler", handler)
    _check_requirements(folder, None)
    # What handlers are told by TorchServe, which makes such a manifest of its own.
    model = {"modelName": f"{workflow.get('workflowName', '')}__{function}", "modelVersion": "1.0", "handler": f"{handler}:{function}"}
    return Archive(folder, {"runtime": "python", "model": model}, model, {})


def _json(path: Path) -> object:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise refused(f"{path.name} of the archive is larger than {_MAX_BYTES} bytes")
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise refused(f"{path.name} of the archive cannot be read: {type(error).__name__}: {str(error)[:200]}") from error


def _check_file(folder: Path, key: str, name: object) -> None:
    if name is None or name == "":
        return
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise refused(f"{key} in MANIFEST.json must be the name of a file of the archive, got {ascii(str(name)[:80])}")
    if not (folder / name).is_file():
        raise refused(f"MANIFEST.json names the {key} {name[:80]}, which is not in the archive: pack it again")


def _config(folder: Path, name: str | None) -> Mapping[str, object]:
    if not name:
        return {}
    try:
        import yaml
    except ImportError as error:
        raise refused(f"the archive has {name}, and this Python has no PyYAML to read it: pip install pyyaml") from error
    path = folder / name
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise refused(f"{name} of the archive is larger than {_MAX_BYTES} bytes")
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise refused(f"{name} of the archive is not YAML: {str(error)[:200]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise refused(f"{name} of the archive must be a mapping of names to values")
    return found


def _check_requirements(folder: Path, name: str | None) -> None:
    """Nothing is installed: what a model needs must be there."""
    path = folder / (name or "requirements.txt")
    if not path.is_file():
        return
    lines = [line.split("#", 1)[0].strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    missing = [line for line in lines if line and not _is_there(line)]
    if missing:
        raise refused(
            f"the archive needs Python packages that are not installed: {', '.join(missing[:10])[:400]}; "
            "install them where its interpreter finds them (--python)",
            "python_missing",
        )


def _is_there(requirement: str) -> bool:
    match = _REQUIREMENT.match(requirement)
    if match is None:
        return False  # An option or an address: what it would bring is not known.
    try:
        version = metadata.version(match[1])
    except metadata.PackageNotFoundError:
        return False
    if not match[2].strip():
        return True
    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return True  # Its version is the handler's to complain about.
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return False
    if wanted.marker is not None and not wanted.marker.evaluate():
        return True
    return wanted.specifier.contains(version, prereleases=True)
