import type { PeerPython } from "./environment.ts";
import type { Peer } from "./peer.ts";
import { jsonOrBytes, programEnvironment } from "./python-program.ts";
import { threadsText } from "./workload.ts";

/** The usual program around a model: FastAPI on uvicorn, the engine called in the route. */
export function fastapiPeer(engine: "onnxruntime" | "torchscript", { python }: PeerPython): Peer {
  return {
    name: `fastapi + ${engine}`,
    grpc: "nowhere",
    settings: ({ processes, threads }) =>
      `uvicorn with uvloop and httptools, --workers ${processes}, each with ${threadsText(threads)} of the engine, no batches`,
    command: (workload, files, ports) => ({
      program: python,
      args: [
        ...["-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1", "--port", String(ports.http)],
        ...["--workers", String(workload.processes), "--log-level", "error", "--no-access-log"],
      ],
      env: programEnvironment({ engine, workload, files, ports }),
    }),
    request: (workload, files) => jsonOrBytes({ json: "/infer", bytes: "/infer-bytes" }, workload, files),
  };
}
