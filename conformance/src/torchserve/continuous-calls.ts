import type { RecordedCall } from "./recorded-call.ts";

function count(from: string, more: Partial<RecordedCall> = {}): RecordedCall {
  return {
    name: `POST /predictions/continuous ${from}${more.times === undefined ? "" : ` ${more.times} times`}`,
    port: "inference",
    method: "POST",
    path: "/predictions/continuous",
    headers: { "content-type": "text/plain" },
    body: Buffer.from(from),
    closeness: "bytes",
    ...more,
  };
}

/** Of continuous.mar, whose handler counts down to one: a number in each of its runs. TorchServe 0.12 never ends an answer of one piece. */
export const CONTINUOUS_CALLS: readonly RecordedCall[] = [
  {
    name: "register continuous",
    port: "management",
    method: "POST",
    path: "/models?url=continuous.mar&initial_workers=1&synchronous=true",
    closeness: "status",
  },
  count("3"),
  count("200"),
  count("50", { times: 8 }),
  count("raise"),
  count("2"),
];
