"""Asks a Sconce server what KServe's own client asks, over REST and gRPC, and lets Triton's perf_analyzer load it with a few requests.

Arguments: host:port of a server with the digits model, a BYTES model `text`, --shared-memory system and --allow-trace-settings; the folder of the library
libb64, or nothing: perf_analyzer is left out. Prints one line of JSON: what went wrong by case, empty when nothing did.
"""

import asyncio
import glob
import importlib.machinery
import os
import re
import subprocess
import sys
import sysconfig
import types


def stand_in(name, **names):
    module = types.ModuleType(name)
    module.__dict__.update(names)
    # Its submodules are found in the folder as ever.
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    sys.modules[name] = module
    return module


# `import kserve` loads the server, Kubernetes, pandas and FastAPI; its client needs none of them.
stand_in("kserve").__path__ = [os.path.join(sysconfig.get_paths()["purelib"], "kserve")]
stand_in("pandas", DataFrame=type("DataFrame", (), {}), Series=type("Series", (), {}))
stand_in("cloudevents")
stand_in("cloudevents.conversion", to_binary=None, to_structured=None)
stand_in("cloudevents.http", CloudEvent=type("CloudEvent", (), {}))
stand_in("fastapi")
stand_in("fastapi.responses", JSONResponse=None)

import grpc  # noqa: E402
import httpx  # noqa: E402
import numpy as np  # noqa: E402
from check_kit import check, report  # noqa: E402
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig  # noqa: E402
from kserve.protocol.infer_type import InferInput, InferRequest, RequestedOutput  # noqa: E402

target, libraries = sys.argv[1], sys.argv[2]
url = f"http://{target}"
images = np.random.default_rng(7).random((3, 1, 8, 8), dtype=np.float32)


def request(binary, outputs=None, model="digits", name="image", data=images, datatype="FP32"):
    tensor = InferInput(name=name, shape=list(data.shape), datatype=datatype)
    tensor.set_data_from_numpy(data, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[tensor], request_id="k-1", request_outputs=outputs)


def probabilities(response):
    check(response.id == "k-1" and response.model_name == "digits", str(response.id))
    output = response.outputs[0]
    rows = output.as_numpy()
    check(output.name == "probabilities" and rows.shape == (3, 10), str(rows.shape))
    check(np.allclose(rows.sum(axis=1), 1, atol=1e-5), str(rows))
    return rows


async def rest():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    check(await client.is_server_live(url) is True, "not live")
    check(await client.is_server_ready(url) is True, "not ready")
    check(await client.is_model_ready(url, "digits") is True, "the model is not ready")
    check(await client.is_model_ready(url, "nope") is False, "nope is ready")
    ways = [request(False), request(True), request(True, [RequestedOutput("probabilities", {"binary_data": True})])]
    answers = [probabilities(await client.infer(url, way, model_name="digits")) for way in ways]
    for answer in answers:
        check(np.allclose(answer, answers[0], atol=1e-6), f"{answer}, {answers[0]}")
    texts = np.array([["ä", "b"], ["", "d" * 300]], dtype=np.object_)
    for binary in (False, True):
        given = np.array([[t.encode() for t in row] for row in texts], dtype=np.object_) if binary else texts
        asked = request(binary, model="text", name="x", data=given, datatype="BYTES")
        answer = (await client.infer(url, asked, model_name="text")).outputs[0]
        found = [t if isinstance(t, str) else t.decode() for t in answer.as_numpy().reshape(-1)]
        check(found == list(texts.reshape(-1)), str(found))
    try:
        await client.infer(url, request(True), model_name="nope")
        raise AssertionError("nope answered")
    except httpx.HTTPStatusError as error:
        check(error.response.status_code == 404 and "nope" in str(error), str(error))
    await client.close()


async def rest_v1():
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    check(await client.is_server_live(url) is True, "not alive")
    check(await client.is_model_ready(url, "digits") is True, "the model is not ready")
    answer = await client.infer(url, {"instances": images.tolist()}, model_name="digits")
    rows = np.array(answer["predictions"])
    check(rows.shape == (3, 10) and np.allclose(rows.sum(axis=1), 1, atol=1e-5), str(answer))
    await client.close()


async def over_grpc():
    client = InferenceGRPCClient(target)
    check(await client.is_server_live() is True, "not live")
    check(await client.is_server_ready() is True, "not ready")
    check(await client.is_model_ready("digits") is True, "the model is not ready")
    plain, raw = [probabilities(await client.infer(request(binary))) for binary in (False, True)]
    check(np.allclose(plain, raw, atol=1e-6), f"{plain}, {raw}")
    try:
        await client.infer(request(True, model="nope"))
        raise AssertionError("nope answered")
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.NOT_FOUND, str(error))
    await client.close()


def load(*flags, protocol="grpc", model="digits"):
    env = os.path.dirname(os.path.dirname(sys.executable))
    cuda = glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "nvidia", "cuda_runtime", "lib"))
    paths = os.pathsep.join([libraries, *cuda])
    command = [os.path.join(env, "bin", "perf_analyzer"), "-m", model, "-u", target, "-i", protocol]
    ran = subprocess.run(
        [*command, "--request-count", "5", "--concurrency-range", "1", *flags],
        env={**os.environ, "LD_LIBRARY_PATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = ran.stdout + ran.stderr
    # The server's own count is of a window that perf_analyzer chooses: a request may lie before it.
    counted = re.search(r"Successful request count: [1-5]\b", said)
    check(ran.returncode == 0 and "Request count: 5" in said and counted is not None, said[-1500:])


MEMORY = ("--shared-memory", "system", "--output-shared-memory-size", "4096")
TRACED = ("--trace-level", "TIMESTAMPS", "--trace-rate", "1", "--trace-count", "3")
CASES = {
    "kserve over REST": lambda: asyncio.run(rest()),
    "kserve over REST, v1": lambda: asyncio.run(rest_v1()),
    "kserve over gRPC": lambda: asyncio.run(over_grpc()),
}
LOADS = {
    "perf_analyzer over REST": lambda: load(protocol="http"),
    "perf_analyzer, shared memory over REST": lambda: load(*MEMORY, protocol="http"),
    "perf_analyzer, shared memory over gRPC": lambda: load(*MEMORY),
    "perf_analyzer, a stream": lambda: load("--streaming", "--async"),
    "perf_analyzer, BYTES": lambda: load("--shape", "x:2", protocol="http", model="text"),
    "perf_analyzer, traces": lambda: load(*TRACED),
}

report({**CASES, **(LOADS if libraries != "" else {})})
