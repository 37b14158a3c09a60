"""The handler that others derive from."""

from __future__ import annotations

import abc
import importlib
import os
import time
from typing import List

import torch

from ..utils.util import list_classes_from_module, load_label_mapping

# Whether weights may be read that run code of their own while they are: the server's operator says so.
ALLOWS_PICKLE = False


class BaseHandler(abc.ABC):
    """Loads the archive's model in `initialize`, and answers batches by `preprocess`, `inference` and `postprocess`."""

    def __init__(self) -> None:
        self.model = None
        self.mapping = None
        self.device = None
        self.initialized = False
        self.context = None
        self.model_pt_path = None
        self.manifest = None
        self.map_location = None
        self.model_yaml_config = {}
        self.explain = False
        self.target = 0
        self.profiler_args = {}

    def initialize(self, context) -> None:
        """Loads the serialized file by its kind: weights for the class in the model file, TorchScript, or an exported program."""
        properties = context.system_properties
        gpu = properties.get("gpu_id")
        self.context = context
        self.manifest = context.manifest
        self.model_yaml_config = context.model_yaml_config
        self.map_location = "cuda" if gpu is not None and torch.cuda.is_available() else "cpu"
        self.device = torch.device("cuda", int(gpu)) if self.map_location == "cuda" else torch.device("cpu")
        folder = properties["model_dir"]
        described = self.manifest["model"]
        file = described.get("serializedFile")
        self.model_pt_path = os.path.join(folder, file) if file else None
        if described.get("modelFile"):
            self.model = self._load_pickled_model(folder, described["modelFile"], self.model_pt_path)
            self.model.to(self.device)
        elif self.model_pt_path is None:
            raise RuntimeError("the archive has neither a model file nor a serialized file")
        elif self.model_pt_path.endswith(".pt2"):
            self.model = torch.export.load(self.model_pt_path).module()
            self.model.to(self.device)
        elif self.model_pt_path.endswith(".pt"):
            self.model = self._load_torchscript_model(self.model_pt_path)
        else:
            raise RuntimeError(f"{file} is neither .pt nor .pt2, and there is no model file that makes a model for it")
        if not self.model_pt_path or not self.model_pt_path.endswith(".pt2"):
            self.model.eval()
        self.mapping = load_label_mapping(os.path.join(folder, "index_to_name.json"))
        self.initialized = True

    def _load_torchscript_model(self, model_pt_path: str):
        return torch.jit.load(model_pt_path, map_location=self.device)

    def _load_pickled_model(self, model_dir: str, model_file: str, model_pt_path):
        """An object of the only class of the model file, with the weights of the serialized file, if there is one."""
        if not os.path.isfile(os.path.join(model_dir, model_file)):
            raise RuntimeError(f"the model file {model_file} is not in the archive")
        module = importlib.import_module(model_file.split(".")[0])
        classes = list_classes_from_module(module)
        if len(classes) != 1:
            names = ", ".join(kind.__name__ for kind in classes) or "none"
            raise ValueError(f"{model_file} must have exactly one class, the model; it has {names}")
        model = classes[0]()
        if model_pt_path:
            state = torch.load(model_pt_path, map_location=self.device, weights_only=not ALLOWS_PICKLE)
            model.load_state_dict(state)
        return model

    def preprocess(self, data):
        return torch.as_tensor(data, device=self.device)

    def inference(self, data, *args, **kwargs):
        with torch.inference_mode():
            return self.model(data.to(self.device), *args, **kwargs)

    def postprocess(self, data) -> List:
        return data.tolist()

    def handle(self, data, context) -> List:
        """One answer for each item of `data`."""
        started = time.time()
        self.context = context
        if self._is_describe():
            output = [self.describe_handle()]
        else:
            prepared = self.preprocess(data)
            output = self.explain_handle(prepared, data) if self._is_explain() else self.postprocess(self.inference(prepared))
        if context.metrics is not None:
            context.metrics.add_time("HandlerTime", round((time.time() - started) * 1000, 2), None, "ms")
        return output

    def explain_handle(self, data_preprocess, raw_data):
        """Why the model answers as it does: what `get_insights` of a derived class says for the first request's `target`."""
        row = raw_data[0]
        is_mapping = isinstance(row, dict)
        given = (row.get("data") or row.get("body")) if is_mapping else None
        return self.get_insights(data_preprocess, given, (row.get("target") or 0) if is_mapping else 0)

    def describe_handle(self):
        """What describing the model with `customized=true` shows."""

    def _is_explain(self) -> bool:
        if self._asked_for("explain"):
            self.explain = True
        return self._asked_for("explain")

    def _is_describe(self) -> bool:
        return self._asked_for("describe")

    def _asked_for(self, name: str) -> bool:
        return self.context is not None and self.context.get_request_header(0, name) == "True"

    def get_device(self):
        return self.device
