"""Asks a Sconce server over gRPC with grpcio and tritonclient, the cases of gRPC's interoperability tests.

Argument: host:port of a server with the digits model. Prints one line of JSON: what went wrong by case, empty when nothing did.
"""

import json
import queue
import sys
import time

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

SERVICE = "/inference.GRPCInferenceService/"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
target = sys.argv[1]


def digits(rows=1, model="digits", id=""):
    request = pb.ModelInferRequest(model_name=model, id=id)
    tensor = request.inputs.add(name="image", datatype="FP32")
    tensor.shape.extend([rows, 1, 8, 8])
    request.raw_input_contents.append(bytes(rows * 256))
    return request


def method(channel, kind, name, answer):
    return getattr(channel, kind)(
        name, request_serializer=lambda message: message.SerializeToString(), response_deserializer=answer.FromString
    )


def infer_of(channel):
    return method(channel, "unary_unary", SERVICE + "ModelInfer", pb.ModelInferResponse)


def stream_of(channel):
    return method(channel, "stream_stream", SERVICE + "ModelStreamInfer", pb.ModelStreamInferResponse)


def failure_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("it did not fail")


def empty_unary():
    live = method(channel, "unary_unary", SERVICE + "ServerLive", pb.ServerLiveResponse)
    assert live(pb.ServerLiveRequest()).live


def large_unary():
    for rows in (1, 63, 64, 1024):
        answer = infer_of(channel)(digits(rows))
        assert len(answer.raw_output_contents[0]) == rows * 40


def client_streaming():
    answers = list(stream_of(channel)(iter([digits(rows) for rows in (106, 1, 8, 180)])))
    assert sorted(len(a.infer_response.raw_output_contents[0]) // 40 for a in answers) == [1, 8, 106, 180]


def ping_pong():
    requests = queue.SimpleQueue()
    call = stream_of(channel)(iter(requests.get, None))
    for rows in (123, 1, 10, 230):
        requests.put(digits(rows, id=str(rows)))
        assert next(call).infer_response.id == str(rows)
    requests.put(None)
    assert list(call) == []
    assert call.code() == grpc.StatusCode.OK


def empty_stream():
    call = stream_of(channel)(iter(()))
    assert list(call) == [] and call.code() == grpc.StatusCode.OK


def cancel():
    requests = queue.SimpleQueue()
    call = stream_of(channel)(iter(requests.get, None))
    requests.put(digits(id="first"))
    assert next(call).infer_response.id == "first"
    call.cancel()
    assert failure_of(lambda: next(call)).code() == grpc.StatusCode.CANCELLED
    requests.put(None)


def timeout_on_sleeping_server():
    requests = queue.SimpleQueue()
    call = stream_of(channel)(iter(requests.get, None), timeout=0.05)
    assert failure_of(lambda: next(call)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    requests.put(None)


def status_code_and_message():
    error = failure_of(lambda: infer_of(channel)(digits(model="nope")))
    assert error.code() == grpc.StatusCode.NOT_FOUND and '"nope"' in error.details(), error.details()
    assert ("sconce-reason", "model_not_found") in [tuple(pair) for pair in error.trailing_metadata()]


def special_status_message():
    # HealthCheckRequest: service = 1.
    name = SPECIAL.encode()
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    error = failure_of(lambda: check(bytes([0x0A, len(name)]) + name))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == f'there is no service or model "{SPECIAL}"', repr(error.details())


def unimplemented():
    for path in (SERVICE + "Nope", "/grpc.testing.UnimplementedService/Call"):
        assert failure_of(lambda: channel.unary_unary(path)(b"")).code() == grpc.StatusCode.UNIMPLEMENTED


def custom_metadata():
    metadata = (("x-echo-bin", b"\xab\xab\xab"), ("x-echo-bin", b""), ("x-text", "a, b"))
    answer, call = infer_of(channel).with_call(digits(), metadata=metadata)
    assert answer.model_name == "digits"
    assert any(pair[0] == "server-timing" for pair in call.trailing_metadata())


def compressed():
    for coding in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        with grpc.insecure_channel(target, compression=coding) as other:
            assert len(infer_of(other)(digits(1024)).raw_output_contents[0]) == 1024 * 40
            assert len(list(stream_of(other)(iter([digits(9), digits(300)])))) == 2


def many_at_once():
    calls = [infer_of(channel).future(digits(1 + index % 7)) for index in range(500)]
    for index, call in enumerate(calls):
        assert len(call.result().raw_output_contents[0]) == (1 + index % 7) * 40


def triton_inputs(rows=1):
    tensor = triton.InferInput("image", [rows, 1, 8, 8], "FP32")
    tensor.set_data_from_numpy(np.zeros((rows, 1, 8, 8), np.float32))
    return [tensor]


def triton_infer():
    with triton.InferenceServerClient(target) as client:
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits")
        assert client.get_model_metadata("digits").name == "digits"
        assert client.get_model_config("digits").config.name == "digits"
        assert len(client.get_model_repository_index().models) > 0
        assert client.get_inference_statistics("digits").model_stats[0].name == "digits"
        for coding in (None, "gzip", "deflate"):
            answer = client.infer("digits", triton_inputs(3), request_id="7", compression_algorithm=coding)
            assert answer.as_numpy("probabilities").shape == (3, 10)
            assert answer.get_response().id == "7"


def triton_errors():
    with triton.InferenceServerClient(target) as client:
        for name, word in (("nope", "NOT_FOUND"), ("digits", "INVALID_ARGUMENT")):
            inputs = triton_inputs()
            inputs[0].set_shape([1, 1, 4, 16])
            try:
                client.infer(name, inputs)
            except InferenceServerException as error:
                assert word in str(error.status()), error
            else:
                raise AssertionError("it did not fail")


def triton_async():
    with triton.InferenceServerClient(target) as client:
        done = queue.Queue()
        for index in range(100):
            client.async_infer("digits", triton_inputs(), lambda result, error: done.put(error), request_id=str(index))
        assert [done.get(timeout=60) for _ in range(100)] == [None] * 100


def triton_stream():
    with triton.InferenceServerClient(target) as client:
        done = queue.Queue()
        client.start_stream(lambda result, error: done.put((result, error)))
        for index in range(50):
            client.async_stream_infer("digits", triton_inputs(), request_id=str(index), enable_empty_final_response=True)
        ids = set()
        for _ in range(50):
            result, error = done.get(timeout=60)
            assert error is None, error
            ids.add(result.get_response().id)
            assert result.get_response().parameters["triton_final_response"].bool_param
        client.stop_stream()
        assert ids == {str(index) for index in range(50)}


def keepalive():
    options = triton.KeepAliveOptions(keepalive_time_ms=20, keepalive_permit_without_calls=True)
    with triton.InferenceServerClient(target, keepalive_options=options) as client:
        for _ in range(5):
            time.sleep(0.1)
            client.infer("digits", triton_inputs())


CASES = [
    empty_unary,
    large_unary,
    client_streaming,
    ping_pong,
    empty_stream,
    cancel,
    timeout_on_sleeping_server,
    status_code_and_message,
    special_status_message,
    unimplemented,
    custom_metadata,
    compressed,
    many_at_once,
    triton_infer,
    triton_errors,
    triton_async,
    triton_stream,
    keepalive,
]

wrong = {}
with grpc.insecure_channel(target) as channel:
    for case in CASES:
        try:
            case()
        except Exception as error:  # noqa: BLE001: reported, whatever it is
            wrong[case.__name__] = f"{type(error).__name__}: {error}"
print(json.dumps({"cases": len(CASES), "wrong": wrong}))
