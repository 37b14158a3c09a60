import { packBytes, unpackBytes } from "@sconce/protocol";
import type { InferResponse, ResponsePiece } from "../../base/infer-request.ts";
import type { TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";

/** What a TorchServe handler takes: bytes, and what they are. */
const INPUTS = ["body", "head"] as const;

/** Whether a model takes requests as TorchServe's handlers do, with any body. */
export function takesAnyBody(inputs: readonly TensorSpec[]): boolean {
  return (
    inputs.length === INPUTS.length &&
    INPUTS.every((name, index) => inputs[index]!.name === name && inputs[index]!.datatype === "BYTES")
  );
}

/** The headers that say which sequence a request belongs to, and that it is its last. */
export const SEQUENCE_ID = "ts_request_sequence_id";
export const SEQUENCE_END = "ts_request_sequence_end";

/** A value that a handler is given by name. */
export interface HandlerField {
  readonly name: string;
  /** Its media type; "": unknown. */
  readonly type: string;
  readonly bytes: Buffer;
}

/** The inputs of one row for a handler: the fields' bytes one after another, and a head that says which are whose. */
export function handlerInputs(
  fields: readonly HandlerField[],
  {
    id,
    headers,
    inPieces = false,
  }: {
    readonly id: string;
    readonly headers: Readonly<Record<string, string>>;
    /** What the handler sends before it is done is wanted as it comes. Default: with the rest. */
    readonly inPieces?: boolean;
  },
): readonly NamedTensor[] {
  const parts = fields.map(({ name, type, bytes }) => ({ name, type, bytes: bytes.length }));
  const whole = fields.length === 1 ? fields[0]!.bytes : Buffer.concat(fields.map(({ bytes }) => bytes));
  return [row("body", whole), row("head", Buffer.from(JSON.stringify({ id, headers, parts, inPieces })))];
}

function row(name: string, bytes: Buffer): NamedTensor {
  return { name, datatype: "BYTES", shape: [1], bytes: packBytes([bytes]) };
}

/** What a handler gave for one request. */
export interface HandlerResponse {
  readonly status: number;
  readonly body: Uint8Array;
  readonly type: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** It refused the request; the body says why. */
  readonly isRefusal: boolean;
}

/** Marks the answer of a handler that refused its request. */
export const REFUSAL_MARK = "x-sconce-failed";

export function handlerResponse({ outputs }: InferResponse): HandlerResponse {
  const [body] = unpackBytes(outputs[0]!.bytes, "response");
  return readResponse(unpackBytes(outputs[1]!.bytes, "response_head")[0]!, body!);
}

/** The same for a piece of what it gives. */
export function handlerPiece({ head, body }: ResponsePiece): HandlerResponse {
  return readResponse(head, body);
}

function readResponse(said: Uint8Array, body: Uint8Array): HandlerResponse {
  const head = JSON.parse(Buffer.from(said).toString()) as {
    readonly status: number;
    readonly type?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  const { [REFUSAL_MARK]: mark, ...headers } = head.headers ?? {};
  return { status: head.status, body, type: head.type, headers, isRefusal: mark !== undefined };
}
