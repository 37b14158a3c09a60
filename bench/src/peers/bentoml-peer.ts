import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerPython } from "./environment.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBase64, programEnvironment } from "./python-program.ts";
import { threadsText } from "./workload.ts";

export function bentomlPeer({ python }: PeerPython): Peer {
  return {
    name: "bentoml",
    grpc: "nowhere",
    settings: ({ processes, threads }) =>
      `workers=${processes}, ONNX Runtime with ${threadsText(threads)} each, no batches (its adaptive ones answered 503 to some of 32 in flight, and carried no more)`,
    command(workload, files, ports) {
      const folder = mkdtempSync(join(tmpdir(), "sconce-peers-"));
      return {
        folder,
        program: python,
        args: [
          ...["-m", "bentoml", "serve", "bentoml_service:Served", "--quiet"],
          ...["--host", "127.0.0.1", "--port", String(ports.http)],
        ],
        env: {
          ...programEnvironment({ engine: "onnxruntime", workload, files, ports }),
          BENTOML_HOME: folder,
          BENTOML_DO_NOT_TRACK: "True",
        },
      };
    },
    request: (workload, files) =>
      jsonOrBase64({ json: "/infer", base64: "/infer_base64" }, { workload, files }, (input) => ({ input })),
  };
}
