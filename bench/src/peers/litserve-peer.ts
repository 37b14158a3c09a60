import { join } from "node:path";
import { PEERS, type PeerPython } from "./environment.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBase64, programEnvironment } from "./python-program.ts";
import { threadsText } from "./workload.ts";

export function litservePeer({ python }: PeerPython): Peer {
  return {
    name: "litserve",
    grpc: "nowhere",
    settings: ({ maxBatchSize, threads }) =>
      `1 worker and 1 API server, ONNX Runtime with ${threadsText(threads)}, max_batch_size ${maxBatchSize}, batch_timeout 0 (its default), fast_queue`,
    command: (workload, files, ports) => ({
      program: python,
      args: [join(PEERS, "litserve_app.py")],
      env: programEnvironment({ engine: "onnxruntime", workload, files, ports }),
    }),
    request: (workload, files) =>
      jsonOrBase64({ json: "/infer", base64: "/infer" }, { workload, files }, (base64) => ({ base64 })),
  };
}
