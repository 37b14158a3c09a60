import { ServeError } from "../../base/errors.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import { encodeRequest, inputTensors } from "../bench/request-body.ts";

/** A server that is asked for answers. */
export interface AskedServer {
  readonly origin: string;
  readonly model: string;
}

type Made = Parameters<typeof inputTensors>[1];

const INPUTS = 8;

/**
 * How far the answers of one server are from those of another, on the same inputs: the largest difference of a value by the largest value of that
 * output. Throws ServeError when one of them does not answer.
 */
export async function precisionError(before: AskedServer, after: AskedServer, made: Made): Promise<number> {
  const { signature, hasSequences } = await readModelPorts({ ...before, version: undefined });
  // What is in a file is the same every time.
  const seeds = made.input === undefined ? Array.from({ length: INPUTS }, (_, i) => i + 1) : [made.seed];
  const errors: number[] = [];
  for (const seed of seeds) {
    const tensors = await inputTensors(signature, { ...made, seed });
    const body = (server: AskedServer) =>
      encodeRequest({ ...server, version: undefined, protocol: "json", hasSequences }, tensors);
    const want = await outputsOf(before, body(before));
    const got = await outputsOf(after, body(after));
    errors.push(
      ...want.map(({ name, data }) => outputError(data, got.find((one) => one.name === name)?.data ?? [])),
    );
  }
  return Math.max(0, ...errors);
}

/** Largest difference by largest value; what is no number has to be the same. */
export function outputError(want: readonly unknown[], got: readonly unknown[]): number {
  if (want.length !== got.length) return Number.POSITIVE_INFINITY;
  let [difference, largest] = [0, 0];
  for (const [i, value] of want.entries()) {
    const other = got[i];
    if (typeof value === "number" && typeof other === "number") {
      difference = Math.max(difference, Math.abs(value - other));
      largest = Math.max(largest, Math.abs(value));
    } else if (value !== other) return Number.POSITIVE_INFINITY;
  }
  if (difference === 0) return 0;
  return largest === 0 ? Number.POSITIVE_INFINITY : difference / largest;
}

interface Output {
  readonly name: string;
  readonly data: readonly unknown[];
}

async function outputsOf(
  { origin }: AskedServer,
  body: ReturnType<typeof encodeRequest>,
): Promise<readonly Output[]> {
  const { path, headers, bytes } = body;
  const response = await fetch(`${origin}${path}`, {
    method: "POST",
    headers,
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  const text = await response.text();
  if (!response.ok)
    throw new ServeError(
      "failed_precondition",
      `the server answered ${response.status}: ${text.slice(0, 200)}`,
    );
  return (JSON.parse(text) as { readonly outputs: readonly Output[] }).outputs;
}
