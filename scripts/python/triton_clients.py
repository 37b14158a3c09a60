"""Asks a Sconce server what Triton's own examples ask, with tritonclient over REST and gRPC.

Argument: host:port of a server with the digits model. Prints one line of JSON: what went wrong by case, empty when nothing did.
"""

import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http

from check_kit import check, report
from triton_kit import rejected

target = sys.argv[1]
image = np.linspace(0, 16, 64, dtype=np.float32).reshape(1, 1, 8, 8)


def classes(module, client, **how):
    tensor = module.InferInput("image", [1, 1, 8, 8], "FP32")
    tensor.set_data_from_numpy(image)
    whole = client.infer("digits", [tensor]).as_numpy("probabilities")
    wanted = module.InferRequestedOutput("probabilities", class_count=3, **how)
    answer = client.infer("digits", [tensor], outputs=[wanted]).as_numpy("probabilities")
    check(answer.shape == (1, 3) and answer.dtype == np.object_, f"{answer.shape} {answer.dtype}")
    texts = [text if isinstance(text, str) else text.decode() for text in answer[0]]
    found = [text.split(":") for text in texts]
    expected = np.argsort(-whole[0], kind="stable")[:3]
    check([int(entry[1]) for entry in found] == expected.tolist(), f"{found}, {expected}")
    for entry in found:
        check(entry[0] == f"{whole[0][int(entry[1])]:.6f}", f"{entry[0]}, {whole[0]}")


def config(client, read):
    document = read(client.get_model_config("digits"))
    check(document["max_batch_size"] == 32 and document["input"][0]["name"] == "image", str(document))


def grpc_config(client):
    document = client.get_model_config("digits", as_json=True)["config"]
    check(document["max_batch_size"] == 32 and document["input"][0]["name"] == "image", str(document))


def settings(client, get=lambda answer: answer):
    trace = get(client.get_trace_settings())
    check("trace_level" in trace and "trace_rate" in trace, str(trace))
    client.update_trace_settings(settings={"trace_level": "OFF", "trace_rate": None})
    rejected(lambda: client.update_trace_settings(settings={"trace_level": "TIMESTAMPS"}), "not changed by request")
    log = get(client.get_log_settings())
    check("log_verbose_level" in log, str(log))
    client.update_log_settings({"log_file": ""})
    rejected(lambda: client.update_log_settings({"log_format": "default"}), "--log-level")


def shared_memory(client, empty):
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory("none")
    check(empty(client.get_system_shared_memory_status()), "there are regions")
    check(empty(client.get_cuda_shared_memory_status()), "there are regions")
    rejected(lambda: client.register_system_shared_memory("a", "/a", 64), "system shared memory is off")
    rejected(lambda: client.register_cuda_shared_memory("a", b"aGFuZGxl", 0, 64), "CUDA shared memory is not offered")


rest = over_http.InferenceServerClient(target)
grpc = over_grpc.InferenceServerClient(target)
CASES = {
    "classification over REST, binary": lambda: classes(over_http, rest),
    "classification over REST, JSON": lambda: classes(over_http, rest, binary_data=False),
    "classification over gRPC": lambda: classes(over_grpc, grpc),
    "settings over REST": lambda: settings(rest),
    "settings over gRPC": lambda: settings(grpc, lambda answer: answer.settings),
    "shared memory over REST": lambda: shared_memory(rest, lambda status: status == []),
    "shared memory over gRPC": lambda: shared_memory(grpc, lambda status: len(status.regions) == 0),
    "configuration over REST": lambda: config(rest, lambda document: document),
    "configuration over gRPC": lambda: grpc_config(grpc),
}

report(CASES)
