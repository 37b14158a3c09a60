import { type ErrorCode, ServeError } from "../base/errors.ts";
import type { TensorSpec } from "../base/signature.ts";

/**
 * What is said over a link. An edge process calls `infer`, `inputs` and `early`; the server process settles each, with the same id. Notes have the id of what
 * they are about: the inference that is given up (`cancel`), or a piece of whose answer comes (`piece`), or the stream that has ended (`streamEnd`).
 * `view` is about none: models have changed.
 */
export const LINK_METHODS = {
  infer: 1,
  inputs: 2,
  cancel: 3,
  piece: 4,
  streamEnd: 5,
  view: 6,
  early: 7,
} as const;

/** Header of an `inputs` call, as JSON. Its result is a list of `TensorSpec`, as JSON. */
export interface InputsMessage {
  readonly model: string;
  readonly version?: string | undefined;
}

/** Header of an `early` call, as JSON: would this be rejected whatever its body says? Its result is nothing: it may come. */
export interface EarlyMessage {
  readonly model: string;
  readonly version?: string | undefined;
  readonly tenant?: string | undefined;
  /** By the machine's clock. */
  readonly deadlineMs?: number | undefined;
}

/** Header of a `view` note, as JSON: every known model that has changed, and the names of those that are gone. */
export interface ViewMessage {
  readonly models: readonly ModelView[];
  readonly gone: readonly string[];
}

/** What an edge process has to know of a model to read its requests. */
export interface ModelView {
  readonly name: string;
  /** Counts its changes; not 0. */
  readonly revision: number;
  /** The version that takes requests which name none; undefined: none does now. */
  readonly serving?: string | undefined;
  /** Those in memory whose requests are tensors. */
  readonly versions: readonly { readonly version: string; readonly inputs: readonly TensorSpec[] }[];
}

interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
  /** For the log only. */
  readonly detail?: string | undefined;
}

export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

/** Reads what `encodeJson` wrote in another process of the same release; the type is the caller's to know. */
export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")) as T;
}

export function encodeFailure(thrown: unknown): Uint8Array {
  const { code, message, reason, retryAfterMs, cause } = ServeError.from(thrown);
  const detail = cause instanceof Error ? (cause.stack ?? cause.message) : undefined;
  return encodeJson({ code, message, reason, retryAfterMs, detail } satisfies WireError);
}

export function decodeFailure(bytes: Uint8Array): ServeError {
  const { code, message, reason, retryAfterMs, detail } = decodeJson<WireError>(bytes);
  return ServeError.of(code, message, {
    reason: reason as ServeError["reason"],
    cause: detail,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** One end does not keep to what is agreed: the link cannot be used any further. */
export function linkError(message: string): ServeError {
  return new ServeError("internal", `a link between processes is broken: ${message}`, {
    reason: "worker_protocol",
  });
}
