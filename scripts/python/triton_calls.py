"""Does with a Sconce server what tritonclient can do: over REST and gRPC, plain and asyncio, one request and many, texts, model control, reports.

Arguments: host:port of a server under --model-control explicit with the models `digits`, `text` (two strings in, the same out) and `seen` (an ensemble of digits) and --allow-model-upload, the
administrator's token, and the file of `text` in base64. Prints one line of JSON: what went wrong by case, empty when nothing did.
"""

import asyncio
import base64
import queue
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio

from check_kit import check, report
from triton_kit import rejected

target, token, text_model = sys.argv[1:]
TEXT_MODEL = base64.b64decode(text_model)
ADMIN = {"authorization": f"Bearer {token}"}
images = np.random.default_rng(3).random((16, 1, 8, 8), dtype=np.float32)
TEXTS = np.array([["one", "zwei"], ["", "三 \n\t"]], dtype=np.object_)


def tensor(module, name, values, datatype, **how):
    made = module.InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, **how)
    return made


def digits(module, rows=1, at=0):
    return [tensor(module, "image", images[at : at + rows], "FP32")]


def agree(answer, expected):
    given = answer.as_numpy("probabilities")
    check(given.shape == expected.shape and np.allclose(given, expected, atol=1e-6), f"{given} is not {expected}")


expected = over_http.InferenceServerClient(target).infer("digits", digits(over_http, 16)).as_numpy("probabilities")


def decoded(array):
    return [[text if isinstance(text, str) else text.decode() for text in row] for row in array]


def texts(module, client, hows):
    for how in hows:
        answer = client.infer("text", [tensor(module, "x", TEXTS, "BYTES", **how)])
        check(decoded(answer.as_numpy("y")) == TEXTS.tolist(), str(answer.as_numpy("y")))
    cut = np.array([["a\0b", "c"]], dtype=np.object_)
    rejected(lambda: client.infer("text", [tensor(module, "x", cut, "BYTES")]), "NUL")


def reports(client, of=lambda answer: answer):
    check(client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits"), "not ready")
    check(not client.is_model_ready("nobody"), "nobody is ready")
    server, model = of(client.get_server_metadata()), of(client.get_model_metadata("digits"))
    check(server["name"] == "sconce" and "binary_tensor_data" in server["extensions"], str(server))
    check(model["inputs"][0]["name"] == "image" and [str(n) for n in model["inputs"][0]["shape"]] == ["-1", "1", "8", "8"], str(model))
    counts = of(client.get_inference_statistics("digits"))["model_stats"][0]
    check(int(counts["inference_count"]) >= 1 and int(counts["inference_stats"]["success"]["ns"]) > 0, str(counts))
    check(len(of(client.get_inference_statistics())["model_stats"]) == 3, "not three models")
    rejected(lambda: client.get_model_metadata("nobody"), "does not exist")


def control(client, names):
    rejected(lambda: client.unload_model("text"), "token")
    client.unload_model("text", headers=ADMIN)
    check(not client.is_model_ready("text"), "text is ready")
    states = names(client.get_model_repository_index())
    check(states == {"digits": "READY", "seen": "READY", "text": "UNAVAILABLE"}, str(states))
    client.load_model("text", headers=ADMIN)
    check(client.is_model_ready("text"), "text is not ready")
    rejected(lambda: client.load_model("text", headers=ADMIN, config='{"max_batch_sizes": 4}'), "max_batch_sizes")
    rejected(lambda: client.load_model("nobody", headers=ADMIN), "nobody")
    files = {"file:1/model.onnx": TEXT_MODEL, "file:labels.txt": b"a\nb"}
    client.load_model("brought", headers=ADMIN, config='{"max_batch_size": 3}', files=files)
    check(names(client.get_model_repository_index())["brought"] == "READY", "what was brought is not ready")
    client.unload_model("brought", headers=ADMIN)
    check("brought" not in names(client.get_model_repository_index()), "what was brought is still there")


def ensemble(module, client, config):
    answer = client.infer("seen", [tensor(module, "IMAGE", images, "FP32")])
    given = answer.as_numpy("CLASSES")
    check(given.shape == expected.shape and np.allclose(given, expected, atol=1e-6), f"{given} is not {expected}")
    [step] = config["ensemble_scheduling"]["step"]
    check(step["model_name"] == "digits" and step["input_map"] == {"image": "IMAGE"}, str(config))
    check(config["platform"] == "ensemble" and config["max_batch_size"] == 16, str(config))


def compressed(client):
    for coding in ("gzip", "deflate"):
        answer = client.infer(
            "digits",
            digits(over_http, 16),
            request_compression_algorithm=coding,
            response_compression_algorithm=coding,
        )
        agree(answer, expected)


def many_rest():
    client = over_http.InferenceServerClient(target, concurrency=8)
    waiting = [client.async_infer("digits", digits(over_http, 1, at), request_id=str(at)) for at in range(16)]
    for at, one in enumerate(waiting):
        answer = one.get_result()
        check(answer.get_response()["id"] == str(at), str(answer.get_response()))
        agree(answer, expected[at : at + 1])
    client.close()


def json_tensors(client):
    inputs = [tensor(over_http, "image", images[:2], "FP32", binary_data=False)]
    wanted = [over_http.InferRequestedOutput("probabilities", binary_data=False)]
    agree(client.infer("digits", inputs, outputs=wanted, parameters={"a": "b", "c": 7}), expected[:2])


def many_grpc(client):
    answers = queue.Queue()
    for at in range(16):
        inputs = digits(over_grpc, 1, at)
        client.async_infer("digits", inputs, lambda result, error: answers.put((result, error)), request_id=str(at))
    for _ in range(16):
        result, error = answers.get(timeout=60)
        check(error is None, str(error))
        at = int(result.get_response().id)
        agree(result, expected[at : at + 1])


def stream(client):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for at in range(16):
        client.async_stream_infer("digits", digits(over_grpc, 1, at), request_id=str(at))
    client.async_stream_infer("nobody", digits(over_grpc), request_id="wrong")
    seen, failures = set(), []
    for _ in range(17):
        result, error = answers.get(timeout=60)
        if error is not None:
            failures.append(str(error))
            continue
        at = int(result.get_response().id)
        seen.add(at)
        agree(result, expected[at : at + 1])
    client.stop_stream()
    check(seen == set(range(16)) and len(failures) == 1 and "does not exist" in failures[0], f"{seen} {failures}")


def in_time(module, client, **long):
    agree(client.infer("digits", digits(module, 2), timeout=60_000_000, priority=1, **long), expected[:2])
    rejected(lambda: client.infer("digits", digits(module), timeout=1), "deadline")


def short_deadline(client):
    rejected(lambda: client.infer("digits", digits(over_grpc, 16), client_timeout=1e-6), "DEADLINE_EXCEEDED")


def compressed_grpc(client):
    for coding in ("gzip", "deflate"):
        agree(client.infer("digits", digits(over_grpc, 16), compression_algorithm=coding), expected)


async def rest_aio():
    async with over_http_aio.InferenceServerClient(target) as client:
        check(await client.is_server_ready() and (await client.get_model_metadata("digits"))["name"] == "digits", "not ready")
        calls = [client.infer("digits", digits(over_http_aio, 1, at)) for at in range(16)]
        for at, answer in enumerate(await asyncio.gather(*calls)):
            agree(answer, expected[at : at + 1])
        await client.unload_model("text", headers=ADMIN)
        await client.load_model("text", headers=ADMIN)
        answer = await client.infer("text", [tensor(over_http_aio, "x", TEXTS, "BYTES")])
        check(decoded(answer.as_numpy("y")) == TEXTS.tolist(), str(answer.as_numpy("y")))


async def grpc_aio():
    async with over_grpc_aio.InferenceServerClient(target) as client:
        check(await client.is_server_ready() and (await client.get_model_metadata("digits")).name == "digits", "not ready")
        calls = [client.infer("digits", digits(over_grpc_aio, 1, at)) for at in range(16)]
        for at, answer in enumerate(await asyncio.gather(*calls)):
            agree(answer, expected[at : at + 1])

        async def requests():
            for at in range(16):
                yield {"model_name": "digits", "inputs": digits(over_grpc_aio, 1, at), "request_id": str(at)}

        seen = set()
        async for result, error in client.stream_infer(requests()):
            check(error is None, str(error))
            at = int(result.get_response().id)
            agree(result, expected[at : at + 1])
            seen.add(at)
        check(seen == set(range(16)), str(seen))


rest = over_http.InferenceServerClient(target)
grpc = over_grpc.InferenceServerClient(target)
as_json = type(
    "AsJson",
    (),
    {
        "__getattr__": lambda _, name: (
            lambda *args: getattr(grpc, name)(*args, **({"as_json": True} if name.startswith("get_") else {}))
        )
    },
)()
CASES = {
    "reports over REST": lambda: reports(rest),
    "reports over gRPC": lambda: reports(as_json),
    "texts over REST, binary and JSON": lambda: texts(over_http, rest, [{"binary_data": True}, {"binary_data": False}]),
    "texts over gRPC": lambda: texts(over_grpc, grpc, [{}]),
    "JSON tensors and parameters over REST": lambda: json_tensors(rest),
    "an ensemble over REST": lambda: ensemble(over_http, rest, rest.get_model_config("seen")),
    "an ensemble over gRPC": lambda: ensemble(over_grpc, grpc, as_json.get_model_config("seen")["config"]),
    "compression over REST": lambda: compressed(rest),
    "compression over gRPC": lambda: compressed_grpc(grpc),
    "many at once over REST": many_rest,
    "many at once over gRPC": lambda: many_grpc(grpc),
    "a stream": lambda: stream(grpc),
    "timeouts over REST": lambda: in_time(over_http, rest),
    "timeouts over gRPC": lambda: in_time(over_grpc, grpc, client_timeout=60),
    "a client's own deadline over gRPC": lambda: short_deadline(grpc),
    "asyncio over REST": lambda: asyncio.run(rest_aio()),
    "asyncio over gRPC": lambda: asyncio.run(grpc_aio()),
    "model control over REST": lambda: control(
        rest, lambda index: {entry["name"]: entry["state"] for entry in index}
    ),
    "model control over gRPC": lambda: control(
        grpc, lambda index: {entry.name: entry.state for entry in index.models}
    ),
}

report(CASES)
