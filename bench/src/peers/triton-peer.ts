import { copyFileSync, cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { PEERS, type PeerPython } from "./environment.ts";
import type { Peer, PeerCommand, PeerPorts } from "./peer.ts";
import { protocolRequest } from "./protocol-request.ts";
import type { ModelFiles, Workload } from "./workload.ts";
import { threadsText } from "./workload.ts";

/** Triton as `nvidia-pytriton` ships it: the C++ server, the model in its Python backend with ONNX Runtime. */
export function tritonPeer(python: PeerPython): Peer {
  return {
    name: "triton",
    grpc: "on a port of its own",
    settings: ({ maxBatchSize, threads }) =>
      `the C++ server of nvidia-pytriton, Python backend with ONNX Runtime, 1 instance, ${threadsText(threads)}, dynamic_batching, max_batch_size ${maxBatchSize}`,
    command: (workload, files, ports) => tritonCommand(python, { workload, files, ports }),
    request: (workload, files) => protocolRequest(`/v2/models/${workload.model}/infer`, workload, files),
  };
}

interface Wanted {
  readonly workload: Workload;
  readonly files: ModelFiles;
  readonly ports: PeerPorts;
}

async function tritonCommand(python: PeerPython, wanted: Wanted): Promise<PeerCommand> {
  const { python: program, packages, libraries, version } = python;
  const { http, grpc } = wanted.ports;
  const folder = mkdtempSync(join(tmpdir(), "sconce-peers-"));
  const triton = join(packages, "pytriton/tritonserver");
  cpSync(join(triton, "backends"), join(folder, "backends"), { recursive: true });
  const stub = join(triton, "python_backend_stubs", version, "triton_python_backend_stub");
  copyFileSync(stub, join(folder, "backends/python/triton_python_backend_stub"));
  await writeRepository(join(folder, "models"), wanted);
  return {
    folder,
    program: join(triton, "bin/tritonserver"),
    args: [
      `--model-repository=${join(folder, "models")}`,
      `--backend-directory=${join(folder, "backends")}`,
      `--cache-directory=${join(triton, "caches")}`,
      "--http-address=127.0.0.1",
      `--http-port=${http}`,
      "--grpc-address=127.0.0.1",
      `--grpc-port=${grpc}`,
      "--allow-metrics=false",
      "--log-info=false",
      "--log-warning=false",
    ],
    // The backend's stub knows nothing of PYTHONPATH: it takes the environment of the `python3` that it finds.
    env: {
      LD_LIBRARY_PATH: `${libraries}:${join(packages, "nvidia_pytriton.libs")}`,
      PATH: `${dirname(program)}:${process.env["PATH"]}`,
    },
  };
}

async function writeRepository(root: string, { workload, files }: Wanted): Promise<void> {
  const folder = join(root, workload.model);
  mkdirSync(join(folder, "1"), { recursive: true });
  copyFileSync(join(PEERS, "triton_model.py"), join(folder, "1/model.py"));
  const session = await InferenceSession.create(files.onnx);
  const threads = String(workload.threads);
  const parameters = { onnx: files.onnx, threads };
  const config = [
    `backend: "python"`,
    `max_batch_size: ${workload.maxBatchSize}`,
    "dynamic_batching { }",
    "instance_group [ { count: 1 kind: KIND_CPU } ]",
    ...session.inputMetadata.map((value) => portText("input", value)),
    ...session.outputMetadata.map((value) => portText("output", value)),
    ...Object.entries(parameters).map(
      ([key, value]) => `parameters { key: "${key}" value: { string_value: "${value}" } }`,
    ),
  ];
  writeFileSync(join(folder, "config.pbtxt"), `${config.join("\n")}\n`);
  await session.release();
}

function portText(kind: "input" | "output", value: InferenceSession.ValueMetadata): string {
  if (!value.isTensor) throw new Error(`${value.name} is no tensor`);
  const dims = value.shape.slice(1).map((size) => (typeof size === "number" ? size : -1));
  return `${kind} [ { name: "${value.name}" data_type: ${value.type === "int64" ? "TYPE_INT64" : "TYPE_FP32"} dims: [ ${dims.join(", ")} ] } ]`;
}
