"""Asks a Sconce server with --shared-memory system what Triton's shared memory examples ask, with tritonclient over REST and gRPC, and both aio.

Argument: host:port of a server with the digits model. Prints one line of JSON: what went wrong by case, empty when nothing did.
"""

import asyncio
import os
import queue
import sys

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio
import tritonclient.utils.shared_memory as shm

from check_kit import check, report
from triton_kit import rejected

target = sys.argv[1]
ROWS = 5
IN_BYTES, OUT_BYTES = ROWS * 64 * 4, ROWS * 10 * 4
images = np.random.default_rng(7).random((ROWS, 1, 8, 8), dtype=np.float32)


def plain(module, client):
    tensor = module.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    return client.infer("digits", [tensor]).as_numpy("probabilities")


class Memory:
    """One file with room for the inputs, a gap and the outputs, registered as two regions."""

    gap = 128

    def __init__(self, name):
        self.name, self.key = name, f"/sconce-test-{name}-{os.getpid()}"
        self.size = IN_BYTES + self.gap + OUT_BYTES
        self.handle = shm.create_shared_memory_region(name, self.key, self.size)
        shm.set_shared_memory_region(self.handle, [images])

    def regions(self):
        yield f"{self.name}-in", self.key, IN_BYTES, 0
        yield f"{self.name}-out", self.key, self.size - IN_BYTES, IN_BYTES

    def wanted(self, module, rows=ROWS):
        tensor = module.InferInput("image", [rows, 1, 8, 8], "FP32")
        tensor.set_shared_memory(f"{self.name}-in", rows * 256, (ROWS - rows) * 256)
        output = module.InferRequestedOutput("probabilities")
        output.set_shared_memory(f"{self.name}-out", OUT_BYTES, self.gap)
        return {"inputs": [tensor], "outputs": [output]}

    def outputs(self, rows=ROWS):
        return shm.get_contents_as_numpy(self.handle, np.float32, [rows, 10], offset=IN_BYTES + self.gap).copy()

    def close(self):
        shm.destroy_shared_memory_region(self.handle)


def agree(given, expected):
    check(given.shape == expected.shape and np.allclose(given, expected, atol=1e-6), f"{given} is not {expected}")


def both_ways(module, client, listed, shape_of):
    expected = plain(module, client)
    memory = Memory(module.__name__.rsplit(".", 1)[1])
    try:
        client.unregister_system_shared_memory()
        for name, key, size, offset in memory.regions():
            client.register_system_shared_memory(name, key, size, offset)
        names = sorted(listed(client.get_system_shared_memory_status()))
        check(names == [f"{memory.name}-in", f"{memory.name}-out"], str(names))
        one = listed(client.get_system_shared_memory_status(f"{memory.name}-out"))
        check(one == [f"{memory.name}-out"], str(one))
        rejected(lambda: client.register_system_shared_memory(f"{memory.name}-in", memory.key, 4), "already")
        rejected(lambda: client.register_system_shared_memory("x", memory.key, memory.size + 1), "not all in it")
        rejected(lambda: client.register_system_shared_memory("x", "/../etc/passwd", 4), "key")
        rejected(lambda: client.get_system_shared_memory_status("nobody"), "register it first")
        for rows in (ROWS, 1):
            answer = client.infer("digits", **memory.wanted(module, rows))
            check(list(shape_of(answer.get_output("probabilities"))) == [rows, 10], str(answer.get_response()))
            agree(memory.outputs(rows), expected[ROWS - rows :])
        # Inputs there, answer here; and the other way round.
        agree(client.infer("digits", memory.wanted(module)["inputs"]).as_numpy("probabilities"), expected)
        small = memory.wanted(module)
        small["outputs"][0].set_shared_memory(f"{memory.name}-out", OUT_BYTES - 1, memory.gap)
        rejected(lambda: client.infer("digits", **small), "shared_memory_byte_size is")
        wide = memory.wanted(module)
        wide["inputs"][0].set_shared_memory(f"{memory.name}-in", IN_BYTES, 4)
        rejected(lambda: client.infer("digits", **wide), "not all in it")
        unknown = memory.wanted(module)
        unknown["inputs"][0].set_shared_memory("nobody", IN_BYTES)
        rejected(lambda: client.infer("digits", **unknown), "register it first")
        # Its file gets shorter: that request fails, the server does not.
        os.truncate(f"/dev/shm{memory.key}", IN_BYTES - 4)
        rejected(lambda: client.infer("digits", **memory.wanted(module)), "made shorter")
        check(os.stat(f"/dev/shm{memory.key}").st_size == IN_BYTES - 4, "the server made the file longer")
        os.truncate(f"/dev/shm{memory.key}", memory.size)
        client.unregister_system_shared_memory(f"{memory.name}-in")
        rejected(lambda: client.infer("digits", **memory.wanted(module)), "register it first")
        client.unregister_system_shared_memory()
        check(listed(client.get_system_shared_memory_status()) == [], "regions are left")
        rejected(lambda: client.register_cuda_shared_memory("a", b"aGFuZGxl", 0, 64), "CUDA shared memory is not offered")
        agree(plain(module, client), expected)
    finally:
        memory.close()


def streamed():
    client, memory, answers = over_grpc.InferenceServerClient(target), Memory("stream"), queue.Queue()
    try:
        for region in memory.regions():
            client.register_system_shared_memory(*region)
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("digits", **memory.wanted(over_grpc))
        result, error = answers.get(timeout=60)
        client.stop_stream()
        check(error is None and result is not None, str(error))
        agree(memory.outputs(), plain(over_grpc, client))
        client.unregister_system_shared_memory("stream-in")
        client.unregister_system_shared_memory("stream-out")
    finally:
        memory.close()


async def in_time(module):
    memory = Memory(f"aio-{module.__name__.split('.')[1]}")
    client = module.InferenceServerClient(target)
    try:
        for region in memory.regions():
            await client.register_system_shared_memory(*region)
        await client.infer("digits", **memory.wanted(module))
        agree(memory.outputs(), plain(over_http, over_http.InferenceServerClient(target)))
        for name, *_ in memory.regions():
            await client.unregister_system_shared_memory(name)
    finally:
        await client.close()
        memory.close()


CASES = {
    "REST": lambda: both_ways(
        over_http,
        over_http.InferenceServerClient(target),
        lambda status: [region["name"] for region in status],
        lambda output: output["shape"],
    ),
    "gRPC": lambda: both_ways(
        over_grpc,
        over_grpc.InferenceServerClient(target),
        lambda status: list(status.regions),
        lambda output: output.shape,
    ),
    "gRPC, a stream": streamed,
    "REST, aio": lambda: asyncio.run(in_time(over_http_aio)),
    "gRPC, aio": lambda: asyncio.run(in_time(over_grpc_aio)),
}

report(CASES)
