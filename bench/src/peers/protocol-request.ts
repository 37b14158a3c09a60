import { type BodyTensor, inferBody } from "../infer-body.ts";
import type { PeerRequest } from "./peer.ts";
import type { ModelFiles, Workload } from "./workload.ts";

interface JsonAnswer {
  readonly outputs: readonly { readonly data: readonly number[] }[];
}

/** A workload's request as the Open Inference Protocol has it, which Sconce and Triton both speak. */
export function protocolRequest(path: string, workload: Workload, { outputName }: ModelFiles): PeerRequest {
  if (workload.form === "binary") return { path, ...inferBody(workload.inputs), read: readBinary };
  const body = { inputs: workload.inputs.map(jsonTensor), outputs: [{ name: outputName }] };
  return {
    path,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(body)),
    read: readJson,
  };
}

export async function readJson(answer: Response): Promise<Float32Array> {
  return Float32Array.from(((await answer.json()) as JsonAnswer).outputs[0]!.data);
}

async function readBinary(answer: Response): Promise<Float32Array> {
  const bytes = await answer.arrayBuffer();
  const headLength = Number(answer.headers.get("inference-header-content-length"));
  return new Float32Array(bytes.slice(headLength));
}

function jsonTensor({ name, datatype, shape, bytes }: BodyTensor): object {
  const data =
    datatype === "INT64"
      ? Array.from(new BigInt64Array(bytes.slice().buffer), Number)
      : Array.from(new Float32Array(bytes.slice().buffer));
  return { name, datatype, shape, data };
}
