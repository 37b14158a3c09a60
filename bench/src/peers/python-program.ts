import { delimiter } from "node:path";
import { PEERS } from "./environment.ts";
import type { PeerPorts, PeerRequest } from "./peer.ts";
import { protocolRequest, readJson } from "./protocol-request.ts";
import type { ModelFiles, Workload } from "./workload.ts";

/** What a program of `bench/peers` is told. */
export interface ProgramSettings {
  readonly engine: "onnxruntime" | "torchscript";
  readonly workload: Workload;
  readonly files: ModelFiles;
  readonly ports: PeerPorts;
  readonly folder?: string;
}

/** The environment in which `bench/peers/peer_model.py` finds the model, and programs find that file. */
export function programEnvironment(
  { engine, workload, files, ports, folder }: ProgramSettings,
  ...paths: readonly string[]
): Readonly<Record<string, string>> {
  const { inputs, threads, processes, maxBatchSize } = workload;
  const settings = {
    engine,
    model: engine === "onnxruntime" ? files.onnx : files.torchScript,
    port: ports.http,
    threads,
    workers: processes,
    maxBatchSize,
    folder,
    output: files.outputName,
    shape: inputs[0]!.shape.join(","),
    inputs: Object.fromEntries(
      inputs.map(({ name, datatype }) => [name, datatype === "INT64" ? "int64" : "float32"]),
    ),
  };
  return {
    SCONCE_PEER: JSON.stringify(settings),
    PYTHONPATH: [PEERS, ...paths].join(delimiter),
    OMP_NUM_THREADS: String(threads),
  };
}

/** The Open Inference Protocol's JSON, or the bytes of the first input, to which bytes answer. */
export function jsonOrBytes(
  paths: { readonly json: string; readonly bytes: string },
  workload: Workload,
  files: ModelFiles,
): PeerRequest {
  if (workload.form === "json") return { ...protocolRequest(paths.json, workload, files), read: readJson };
  return {
    path: paths.bytes,
    headers: { "content-type": "application/octet-stream" },
    body: workload.inputs[0]!.bytes,
    read: async (answer) => new Float32Array(await answer.arrayBuffer()),
  };
}

/** The same JSON; or, of a server that reads nothing else, what `wrapped` makes of the bytes of the first input as base64. */
export function jsonOrBase64(
  paths: { readonly json: string; readonly base64: string },
  { workload, files }: { readonly workload: Workload; readonly files: ModelFiles },
  wrapped: (text: string) => unknown,
): PeerRequest {
  if (workload.form === "json") return { ...protocolRequest(paths.json, workload, files), read: readJson };
  const text = Buffer.from(workload.inputs[0]!.bytes).toString("base64");
  return {
    path: paths.base64,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(wrapped(text))),
    read: readJson,
  };
}
