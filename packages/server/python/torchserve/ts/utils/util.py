"""What handlers share."""

from __future__ import annotations

import inspect
import itertools
import json
import os
from typing import Dict, List, Optional, Sequence


class PredictionException(Exception):
    """A request that cannot be answered: its client is sent the message under this status."""

    def __init__(self, message: str, error_code: int = 500) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __str__(self) -> str:
        return f"message : {self.message} error_code : {self.error_code}"


def list_classes_from_module(module, parent_class: Optional[type] = None) -> List[type]:
    """The classes that the module itself defines; `parent_class`: those of its kind alone."""
    own = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    return own if parent_class is None else [kind for kind in own if issubclass(kind, parent_class)]


def get_yaml_config(yaml_file_path: str) -> dict:
    """What a YAML file of the archive says. Needs PyYAML."""
    import yaml

    with open(yaml_file_path, encoding="utf-8") as file:
        return yaml.safe_load(file) or {}


def load_label_mapping(mapping_file_path: str) -> Optional[dict]:
    """Names of classes by their numbers, from index_to_name.json; None where there is no such file."""
    if not os.path.isfile(mapping_file_path):
        return None
    with open(mapping_file_path, encoding="utf-8") as file:
        mapping = json.load(file)
    if not isinstance(mapping, dict):
        raise ValueError("index_to_name.json must be an object of names by the numbers of their classes")
    names = mapping.get("object_type_names", mapping)
    if isinstance(names, list):
        names = dict(enumerate(names))
    return {str(key): value for key, value in names.items()}


def map_class_to_label(
    probs: Sequence[Sequence[float]], mapping: Optional[dict] = None, lbl_classes: Optional[Sequence[Sequence[int]]] = None
) -> List[Dict[str, float]]:
    """A row of probabilities by the names of their classes, or their numbers where nothing names them."""
    classes = lbl_classes if lbl_classes is not None else itertools.repeat(range(len(probs[0]) if probs else 0), len(probs))
    return [{_label(mapping, index): p for index, p in zip(indices, row)} for indices, row in zip(classes, probs)]


def _label(mapping: Optional[dict], index: int) -> str:
    found = str(index) if mapping is None else mapping.get(str(index), str(index))
    return found[-1] if isinstance(found, list) else found
