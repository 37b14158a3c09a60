import type { RunInput } from "../../base/run.ts";
import type { Signature } from "../../base/signature.ts";
import type { PreparedTask, TaskPart } from "../../base/task.ts";
import type { NamedTensor, Tensor } from "../../base/tensor.ts";
import { decodeTensors, encodeTensors, tensorFailure } from "../tensor-codec.ts";

/**
 * What the server process and a task's worker say to each other: two tensors of bytes there, two back. They are the header and the payload of
 * tensors as `tensor-codec.ts` writes them; the first of those is JSON and says what the others are.
 */
export type StageCall =
  | { readonly kind: "prepare"; readonly parts: readonly TaskPart[] }
  | {
      readonly kind: "finish";
      readonly state: Uint8Array;
      readonly outputs: readonly (readonly NamedTensor[])[];
    };

const bytesSpec = (name: string): Signature["inputs"][number] => ({
  name,
  datatype: "UINT8",
  dims: [{ symbol: name, min: 0, max: undefined }],
});
const MESSAGE = [bytesSpec("header"), bytesSpec("payload")];

/** What a task's worker takes and gives. */
export const STAGE_SIGNATURE: Signature = {
  inputs: MESSAGE,
  outputs: MESSAGE,
  batching: { kind: "off", reason: "each request is prepared on its own" },
};

const unreadable = tensorFailure("worker_protocol", "a message between a task's stages");

type Head =
  | { readonly kind: "prepare"; readonly parts: readonly Omit<TaskPart, "bytes">[] }
  | { readonly kind: "finish"; readonly runs: readonly (readonly string[])[] };

export function encodeCall(call: StageCall): RunInput[] {
  if (call.kind === "prepare") {
    const head: Head = { kind: "prepare", parts: call.parts.map(({ name, type }) => ({ name, type })) };
    return pack([json(head), ...call.parts.map(({ bytes }) => flat(bytes))]);
  }
  const head: Head = { kind: "finish", runs: namesOf(call.outputs) };
  return pack([json(head), flat(call.state), ...call.outputs.flat().map(whole)]);
}

export function decodeCall(message: readonly Tensor[]): StageCall {
  const [head, ...tensors] = unpack(message);
  const { kind, ...said } = JSON.parse(Buffer.from(head!.bytes).toString()) as Head;
  if (kind === "prepare") {
    const { parts } = said as Extract<Head, { kind: "prepare" }>;
    return { kind, parts: parts.map((part, i) => ({ ...part, bytes: tensors[i]!.bytes })) };
  }
  const { runs } = said as Extract<Head, { kind: "finish" }>;
  const [state, ...outputs] = tensors;
  return { kind, state: state!.bytes, outputs: named(runs, outputs) };
}

export function encodePrepared({ runs, state }: PreparedTask): RunInput[] {
  return pack([json(namesOf(runs)), flat(state), ...runs.flat().map(whole)]);
}

export function decodePrepared(message: readonly Tensor[]): PreparedTask {
  const [head, state, ...inputs] = unpack(message);
  const runs = JSON.parse(Buffer.from(head!.bytes).toString()) as readonly (readonly string[])[];
  return { runs: named(runs, inputs), state: state!.bytes };
}

export function encodeFinished(body: Uint8Array): RunInput[] {
  return pack([flat(body)]);
}

export function decodeFinished(message: readonly Tensor[]): Uint8Array {
  return unpack(message)[0]!.bytes;
}

function namesOf(runs: readonly (readonly NamedTensor[])[]): string[][] {
  return runs.map((tensors) => tensors.map(({ name }) => name));
}

function named(runs: readonly (readonly string[])[], tensors: readonly Tensor[]): NamedTensor[][] {
  let at = 0;
  return runs.map((names) => names.map((name) => ({ name, ...tensors[at++]! })));
}

function pack(tensors: readonly RunInput[]): RunInput[] {
  const { header, chunks } = encodeTensors(tensors, 0);
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.byteLength;
  return [flat(header), { datatype: "UINT8", shape: [bytes], chunks }];
}

function unpack([header, payload]: readonly Tensor[]): Tensor[] {
  return decodeTensors(header!.bytes, payload!.bytes, unreadable).tensors;
}

function json(value: unknown): RunInput {
  return flat(Buffer.from(JSON.stringify(value)));
}

function flat(bytes: Uint8Array): RunInput {
  return { datatype: "UINT8", shape: [bytes.byteLength], chunks: [bytes] };
}

function whole({ datatype, shape, bytes }: Tensor): RunInput {
  return { datatype, shape, chunks: [bytes] };
}
