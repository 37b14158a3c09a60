import type { RecordedCall } from "./recorded-call.ts";

/** Which of the tokens of key_file.json a call brings. */
export type TokenName = "management" | "inference" | "API" | "wrong" | "none";

/** A call of a server with a config.properties. */
export interface ConfiguredCall extends RecordedCall {
  readonly token: TokenName;
}

/** Envelopes that answers are recorded of; tokens are asked for with each. */
export const RECORDED_ENVELOPES = ["kserve", "json", "kservev2"] as const;
export type RecordedEnvelope = (typeof RECORDED_ENVELOPES)[number];

/** What config.properties says beside addresses. */
export function configuredProperties(envelope: RecordedEnvelope): string {
  return `disable_token_authorization=false
load_models=eager.mar${envelope === "kserve" ? ",second=orders.mar" : ""}
service_envelope=${envelope}
job_queue_size=33
models={"eager": {"1.0": {"defaultVersion": true, "marName": "eager.mar", "minWorkers": 1, "maxWorkers": 1, "batchSize": 1, "maxBatchDelay": 20, "responseTimeout": 60}}}
`;
}

/** The calls for a server with this envelope; tokens are tried with the first one. */
export function configuredCalls(envelope: RecordedEnvelope): readonly ConfiguredCall[] {
  return envelope === "kserve" ? [...TOKEN_CALLS, ...ENVELOPE_CALLS.kserve] : ENVELOPE_CALLS[envelope];
}

const JSON_TYPE = { "content-type": "application/json" };

function call(
  port: RecordedCall["port"],
  [method, path]: readonly [method: string, path: string],
  token: TokenName,
  more: Partial<RecordedCall> = {},
): ConfiguredCall {
  const name = `${method} ${path} with ${token === "none" ? "no" : `the ${token}`} token`;
  return { name, port, method, path, token, closeness: "bytes", ...more };
}

function asking(body: unknown, path = "/predictions/eager"): ConfiguredCall {
  const text = JSON.stringify(body);
  return {
    ...call("inference", ["POST", path], "inference"),
    name: `POST ${path} ${text}`,
    headers: JSON_TYPE,
    body: Buffer.from(text),
    closeness: "numbers",
  };
}

const PREDICT = ["POST", "/predictions/second"] as const;
const BODY = { body: Buffer.from('{"instances": [{"body": "text"}]}'), headers: JSON_TYPE };

const TOKEN_CALLS: readonly ConfiguredCall[] = [
  ...(["none", "wrong", "management", "API"] as const).map((token) =>
    call("inference", PREDICT, token, BODY),
  ),
  ...(["none", "wrong", "inference", "API"] as const).flatMap((token) => [
    call("management", ["GET", "/models"], token),
    call("management", ["GET", "/models/eager"], token),
    call("management", ["DELETE", "/models/second"], token),
  ]),
  call("management", ["GET", "/models"], "management"),
  call("management", ["GET", "/models/eager"], "management", { closeness: "shape" }),
  call("management", ["GET", "/models/nobody"], "management"),
  call("metrics", ["GET", "/metrics"], "none", { closeness: "status" }),
  ...(["none", "management", "inference"] as const).map((token) =>
    call("management", ["GET", "/token?type=inference"], token),
  ),
  call("management", ["GET", "/token?type=inference"], "API"),
  call("management", ["GET", "/token?type=management"], "API"),
  call("management", ["GET", "/token?type=other"], "API"),
  call("management", ["GET", "/token"], "API"),
  call("management", ["GET", "/models"], "management", { name: "GET /models with the new management token" }),
];

const ROW = [1, 2, 3];
const OTHER = [4, 5, 6];

const ENVELOPE_CALLS: Readonly<Record<RecordedEnvelope, readonly ConfiguredCall[]>> = {
  kserve: [
    asking({ instances: [{ data: ROW }] }),
    asking({ instances: [{ data: ROW }, { body: OTHER }] }),
    asking({ instances: [{ data: ROW }] }, "/v1/models/eager:predict"),
    asking({ rows: [] }),
  ],
  json: [
    asking({ instances: [{ data: ROW }] }),
    asking({ instances: [{ data: ROW }, { body: OTHER }] }),
    asking({ rows: [] }),
  ],
  kservev2: [
    asking({ id: "seven", inputs: [{ name: "x", shape: [1, 3], datatype: "FP32", data: ROW }] }),
    asking({
      id: "eight",
      inputs: [
        { name: "x", shape: [3], datatype: "FP32", data: ROW },
        { name: "y", shape: [3], datatype: "INT64", data: OTHER },
      ],
    }),
  ],
};

const message = (modelName: string, sequenceId: string, body: unknown): object => ({
  modelName,
  sequenceId,
  input: { body: Buffer.from(JSON.stringify(body)) },
});

/** What is sent over StreamPredictions2, with the kserve envelope. */
export const SEQUENCE_MESSAGES: readonly object[] = [
  message("eager", "one", { instances: [{ data: ROW }] }),
  message("eager", "", { instances: [{ data: ROW }] }),
  message("eager", "one", { instances: [{ data: OTHER }] }),
  message("nobody", "one", {}),
];
