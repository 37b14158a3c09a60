import { availableParallelism } from "node:os";
import { join } from "node:path";
import { PEERS, type PeerPython } from "./environment.ts";
import type { Peer, PeerRequest } from "./peer.ts";
import { protocolRequest, readJson } from "./protocol-request.ts";
import type { ModelFiles, Workload } from "./workload.ts";

/** The usual program around a model: FastAPI on uvicorn, the engine called in the route. */
export function fastapiPeer(engine: "onnxruntime" | "torchscript", { python }: PeerPython): Peer {
  return {
    name: `fastapi + ${engine}`,
    grpc: "nowhere",
    command: ({ inputs }, files, { http }) => ({
      program: python,
      args: [
        join(PEERS, "fastapi_app.py"),
        engine,
        engine === "onnxruntime" ? files.onnx : files.torchScript,
        String(http),
        String(availableParallelism()),
        files.outputName,
        ...inputs.map(({ name, datatype }) => `${name}=${datatype === "INT64" ? "int64" : "float32"}`),
      ],
    }),
    request,
  };
}

function request(workload: Workload, files: ModelFiles): PeerRequest {
  if (workload.form === "json") return { ...protocolRequest("/infer", workload, files), read: readJson };
  const { shape, bytes } = workload.inputs[0]!;
  return {
    path: "/infer-bytes",
    headers: { "content-type": "application/octet-stream", "x-shape": shape.join(",") },
    body: bytes,
    read: async (answer) => new Float32Array(await answer.arrayBuffer()),
  };
}
