import { createGrpcSender, createGrpcStreamSender } from "./grpc-sender.ts";
import type { RequestBody } from "./request-body.ts";
import { createRestSender } from "./rest-sender.ts";
import { sameJson } from "./same-json.ts";
import type { Sender } from "./sender.ts";
import type { Target } from "./target.ts";

/** Makes connections to a target. `expected`: the JSON that every answer must be; undefined: the status decides. */
export function openSenders(
  { origin, protocol, access }: Target,
  options: {
    readonly body: RequestBody;
    /** What is sent next, where requests differ; over REST. Default: always `body`. */
    readonly next?: (() => RequestBody) | undefined;
    readonly timeoutMs: number;
    readonly expected: unknown;
  },
): () => Sender {
  const { body, next, timeoutMs, expected } = options;
  if (protocol === "grpc") return () => createGrpcSender({ origin, body, timeoutMs, access });
  if (protocol === "grpc-stream") return () => createGrpcStreamSender({ origin, body, timeoutMs, access });
  const accepts = expected === undefined ? undefined : (answer: Buffer) => isExpected(answer, expected);
  return () => createRestSender({ origin, body, next, timeoutMs, accepts, access });
}

function isExpected(answer: Buffer, expected: unknown): boolean {
  try {
    return sameJson(JSON.parse(answer.toString("utf8")), expected);
  } catch {
    return false;
  }
}
