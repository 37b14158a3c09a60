"""What a handler is told of its model and of the requests it answers."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple


class RequestProcessor:
    """The headers of one request, and what its response is to have."""

    def __init__(self, request_header: Mapping[str, object]) -> None:
        self._request_header = dict(request_header)
        self._status_code: Optional[int] = 200
        self._reason_phrase: Optional[str] = None
        self._response_header: Dict[str, str] = {}

    def get_request_property(self, key: str) -> Optional[object]:
        """The header of this name, whatever the case of its letters; None: there is none."""
        if key in self._request_header:
            return self._request_header[key]
        wanted = key.lower()
        return next((value for name, value in self._request_header.items() if name.lower() == wanted), None)

    def get_request_properties(self) -> Dict[str, object]:
        return self._request_header

    def report_status(self, code: int, reason_phrase: Optional[str] = None) -> None:
        self._status_code = code
        self._reason_phrase = reason_phrase

    def get_response_status_code(self) -> Optional[int]:
        return self._status_code

    def get_response_status_phrase(self) -> Optional[str]:
        return self._reason_phrase

    def add_response_property(self, key: str, value: str) -> None:
        self._response_header[key] = value

    def get_response_headers(self) -> Dict[str, str]:
        return self._response_header

    def get_response_header(self, key: str) -> Optional[str]:
        return self._response_header.get(key)


class Context:
    """One per model; `request_ids` and `request_processor` are those of the batch that is being answered."""

    def __init__(
        self,
        model_name: str,
        model_dir: str,
        manifest: dict,
        batch_size: int,
        gpu: Optional[int],
        mms_version: str,
        limit_max_image_pixels: bool = True,
        metrics: object = None,
        model_yaml_config: Optional[dict] = None,
    ) -> None:
        self.model_name = model_name
        self.manifest = manifest
        self.metrics = metrics
        self.explain = False
        # With continuousBatching: for each request of the batch what says of its last piece whether it was the last one; set by the handler.
        self.stopping_criteria: Optional[List[Callable[[object], Optional[bool]]]] = None
        self.request_ids: Dict[int, str] = {}
        self.request_processor: List[RequestProcessor] = []
        self.model_yaml_config = model_yaml_config if model_yaml_config is not None else {}
        self._system_properties = {
            "model_dir": model_dir,
            "gpu_id": gpu,
            "batch_size": batch_size,
            "server_name": "MMS",
            "server_version": mms_version,
            "limit_max_image_pixels": limit_max_image_pixels,
        }

        # Takes a piece of each answer of the batch, before the handler returns the last ones.
        self.send_part: Callable[[Sequence[object]], None] = _no_parts

    @property
    def system_properties(self) -> dict:
        return self._system_properties

    def get_request_id(self, idx: int = 0) -> Optional[str]:
        return self.request_ids.get(idx)

    def get_request_header(self, idx: int, key: str) -> Optional[object]:
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> Dict[str, object]:
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> Optional[str]:
        return self.request_processor[idx].get_response_header("content-type")

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        if self.request_processor:
            self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        for processor in self.request_processor:
            processor.report_status(code, phrase)

    def get_response_status(self, idx: int) -> Tuple[Optional[int], Optional[str]]:
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx: int) -> Dict[str, str]:
        return self.request_processor[idx].get_response_headers()

    def get_sequence_id(self, idx: int) -> Optional[object]:
        """Whose turn it is among the sequences of a stateful model."""
        return self.request_processor[idx].get_request_property("ts_request_sequence_id")


def _no_parts(pieces: Sequence[object]) -> None:
    raise RuntimeError("pieces of answers can be sent only while a batch is answered")
