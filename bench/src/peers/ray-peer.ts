import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PEERS, type PeerPython } from "./environment.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBytes, programEnvironment } from "./python-program.ts";
import { threadsText } from "./workload.ts";

export function rayPeer({ python }: PeerPython): Peer {
  return {
    name: "ray serve",
    grpc: "nowhere",
    settings: ({ maxBatchSize, threads }) =>
      `1 replica behind 1 HTTP proxy, ONNX Runtime with ${threadsText(threads)}, @serve.batch with max_batch_size ${maxBatchSize} and batch_wait_timeout_s 0, max_ongoing_requests 100, RAY_SERVE_THROUGHPUT_OPTIMIZED, no access log`,
    command(workload, files, ports) {
      // Short: Ray's sockets lie deep in it, and a socket's path has at most 107 bytes.
      const folder = mkdtempSync(join(tmpdir(), "ray-"));
      return {
        folder,
        program: python,
        args: [join(PEERS, "ray_app.py")],
        env: {
          ...programEnvironment({ engine: "onnxruntime", workload, files, ports, folder }),
          RAY_USAGE_STATS_ENABLED: "0",
          RAY_SERVE_THROUGHPUT_OPTIMIZED: "1",
          RAY_SERVE_ENABLE_DIRECT_INGRESS: "0",
        },
      };
    },
    request: (workload, files) => jsonOrBytes({ json: "/infer", bytes: "/infer" }, workload, files),
  };
}
