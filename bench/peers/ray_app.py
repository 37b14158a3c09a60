"""Ray Serve around a model: one replica that runs batches of what waits, behind Ray's HTTP proxy."""

import time

import ray
from peer_model import SETTINGS, bytes_arrays, json_answer, json_arrays, load, run_rows
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=100,
    ray_actor_options={"num_cpus": 1},
    logging_config={"enable_access_log": False},
)
class Served:
    def __init__(self):
        self.model = load()

    @serve.batch(max_batch_size=SETTINGS["maxBatchSize"], batch_wait_timeout_s=0.0)
    async def run(self, requests):
        return run_rows(self.model, requests)

    async def __call__(self, request: Request):
        if request.headers["content-type"] == "application/octet-stream":
            arrays = bytes_arrays(await request.body(), SETTINGS["shape"])
            return Response((await self.run(arrays)).tobytes())
        return json_answer(await self.run(json_arrays(await request.json())))


ray.init(
    num_cpus=max(2, SETTINGS["threads"]),
    include_dashboard=False,
    configure_logging=False,
    log_to_driver=False,
    object_store_memory=100 * 2**20,
    _temp_dir=SETTINGS["folder"],
)
serve.start(http_options={"host": "127.0.0.1", "port": SETTINGS["port"], "request_timeout_s": 60})
serve.run(Served.bind(), route_prefix="/infer")
while True:
    time.sleep(3600)
