"""Sends sequences of requests as Triton's own examples do, with tritonclient over REST and gRPC.

Argument: host:port of a server with the model sum, whose output is the sum of a sequence's inputs so far. Prints one line of JSON: what went
wrong by case, empty when nothing did.
"""

import queue
import sys
import threading

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

from check_kit import check, report

target = sys.argv[1]
VALUES = [11, 7, 5, 3, 2, 0, 1]


def tensor(module, value):
    made = module.InferInput("INPUT", [1, 1], "FP32")
    made.set_data_from_numpy(np.array([[value]], dtype=np.float32))
    return made


def interleaved(module, client, ids):
    """Each sequence adds the values up, the second one their opposites, one request after the other in turn."""
    sums = [0, 0]
    for n, value in enumerate(VALUES):
        for i, sequence in enumerate(ids):
            signed = value * (1 - 2 * i)
            sums[i] += signed
            answer = client.infer(
                "sum",
                [tensor(module, signed)],
                sequence_id=sequence,
                sequence_start=n == 0,
                sequence_end=n == len(VALUES) - 1,
            ).as_numpy("OUTPUT")
            check(answer.tolist() == [[sums[i]]], f"sequence {sequence}, request {n}: {answer} instead of {sums[i]}")


def rejected(module, client):
    for how in ({}, {"sequence_id": 99}):
        try:
            client.infer("sum", [tensor(module, 1)], **how)
        except InferenceServerException as error:
            check("sequence" in str(error), str(error))
        else:
            raise AssertionError(f"{how} was not rejected")


def streamed(ids):
    """As simple_grpc_sequence_stream_infer_client.py: all is sent at once over one stream."""
    answers = queue.Queue()
    client = over_grpc.InferenceServerClient(target)
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for n, value in enumerate(VALUES):
        for sequence in ids:
            client.async_stream_infer(
                "sum",
                [tensor(over_grpc, value)],
                request_id=f"{sequence}_{n}",
                sequence_id=sequence,
                sequence_start=n == 0,
                sequence_end=n == len(VALUES) - 1,
            )
    totals = np.cumsum(VALUES)
    for _ in range(len(VALUES) * len(ids)):
        result, error = answers.get(timeout=60)
        check(error is None, str(error))
        n = int(result.get_response().id.split("_")[-1])
        check(result.as_numpy("OUTPUT").tolist() == [[totals[n]]], f"request {n}")
    client.stop_stream()
    client.close()


def together(count):
    """Many sequences at once, each from a thread of its own."""
    wrong = []

    def one(sequence):
        client = over_http.InferenceServerClient(target)
        try:
            interleaved(over_http, client, [sequence])
        except Exception as error:
            wrong.append(str(error))
        client.close()

    threads = [threading.Thread(target=one, args=(1000 + i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, str(wrong[:3]))


http, grpc = over_http.InferenceServerClient(target), over_grpc.InferenceServerClient(target)
CASES = {
    "http, ids": lambda: interleaved(over_http, http, [2**63 + 1, 1]),
    "http, texts as ids": lambda: interleaved(over_http, http, ["sequence-a", "sequence-b"]),
    "http, no sequence": lambda: rejected(over_http, http),
    "grpc, ids": lambda: interleaved(over_grpc, grpc, [2**63 - 1, 1]),
    "grpc, texts as ids": lambda: interleaved(over_grpc, grpc, ["sequence-a", "sequence-b"]),
    "grpc, no sequence": lambda: rejected(over_grpc, grpc),
    "grpc, one stream for several": lambda: streamed([7, "eight", 2**63 - 1]),
    "http, many at once": lambda: together(8),
}

report(CASES)
