"""LitServe around a model: one worker that runs batches of what waits."""

import base64

import litserve
from peer_model import SETTINGS, bytes_arrays, json_answer, json_arrays, load, run_rows


class Served(litserve.LitAPI):
    def setup(self, device):
        self.run = load()

    def decode_request(self, request):
        if "base64" in request:
            return bytes_arrays(base64.b64decode(request["base64"]), SETTINGS["shape"])
        return json_arrays(request)

    def batch(self, inputs):
        return inputs

    def predict(self, requests):
        return run_rows(self.run, requests)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return json_answer(output)


if __name__ == "__main__":
    api = Served(max_batch_size=SETTINGS["maxBatchSize"], batch_timeout=0.0, api_path="/infer")
    server = litserve.LitServer(api, accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=SETTINGS["port"], log_level="error", generate_client_file=False, num_api_servers=1)
