import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerPython } from "./environment.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBase64, programEnvironment } from "./python-program.ts";
import { threadsText } from "./workload.ts";

const BATCH_WAIT_SECONDS = 0.001;

export function mlserverPeer({ python }: PeerPython): Peer {
  return {
    name: "mlserver",
    grpc: "on a port of its own",
    settings: ({ maxBatchSize, threads }) =>
      `the model in the server's process (parallel_workers 0, faster here than its default of 1), ONNX Runtime with ${threadsText(threads)} in a runtime of one's own, max_batch_size ${maxBatchSize}, max_batch_time ${BATCH_WAIT_SECONDS} s, debug off, no metrics`,
    command(workload, files, ports) {
      const folder = mkdtempSync(join(tmpdir(), "sconce-peers-"));
      mkdirSync(join(folder, workload.model));
      const server = {
        debug: false,
        host: "127.0.0.1",
        http_port: ports.http,
        grpc_port: ports.grpc,
        metrics_endpoint: null,
        parallel_workers: 0,
      };
      const model = {
        name: workload.model,
        implementation: "mlserver_runtime.Served",
        max_batch_size: workload.maxBatchSize,
        max_batch_time: BATCH_WAIT_SECONDS,
      };
      writeFileSync(join(folder, "settings.json"), JSON.stringify(server));
      writeFileSync(join(folder, workload.model, "model-settings.json"), JSON.stringify(model));
      return {
        folder,
        cwd: folder,
        program: python,
        args: ["-c", "from mlserver.cli.main import main; main()", "start", folder],
        env: programEnvironment({ engine: "onnxruntime", workload, files, ports }),
      };
    },
    request(workload, files) {
      const path = `/v2/models/${workload.model}/infer`;
      const { name } = workload.inputs[0]!;
      const tensor = { name, datatype: "BYTES", shape: [1], parameters: { content_type: "base64" } };
      return jsonOrBase64({ json: path, base64: path }, { workload, files }, (text) => ({
        inputs: [{ ...tensor, data: [text] }],
      }));
    },
  };
}
