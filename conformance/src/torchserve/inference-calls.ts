import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Closeness, RecordedCall } from "./recorded-call.ts";

const JSON_TYPE = "application/json";
const TEXT = "text/plain";

interface Extra {
  readonly path?: string;
  readonly method?: string;
  readonly times?: number;
  readonly closeness?: Closeness;
  readonly headers?: Readonly<Record<string, string>>;
}

function predict(
  model: string,
  type: string | undefined,
  body: string | Buffer | FormData,
  { path = `/predictions/${model}`, method = "POST", closeness = "bytes", headers, ...extra }: Extra = {},
): RecordedCall {
  const shown =
    body instanceof FormData ? "a form" : Buffer.isBuffer(body) ? `${body.length} bytes` : body.slice(0, 40);
  return {
    name: `${method} ${path} ${shown}${type === undefined ? "" : ` (${type})`}`,
    port: "inference",
    method,
    path,
    headers: { ...(type !== undefined && { "content-type": type }), ...headers },
    body: typeof body === "string" ? Buffer.from(body) : body,
    closeness,
    ...extra,
  };
}

/** Inference of every archive that `torchserve_models.py` wrote into `folder`. They are registered. */
export function inferenceCalls(folder: string): readonly RecordedCall[] {
  const picture = (name: string): Buffer => readFileSync(join(folder, `${name}.png`));
  return [
    ...eagerCalls(),
    ...orderCalls(),
    ...errorCalls(),
    predict("batched", TEXT, "a row", { times: 4 }),
    predict("batched", JSON_TYPE, '{"a":1}', { times: 4 }),
    predict("streaming", TEXT, "one two three"),
    predict("streaming", TEXT, "alone"),
    ...statefulCalls(),
    predict("image", "image/png", picture("bright"), { closeness: "numbers" }),
    predict("image", "image/png", picture("ramp"), { closeness: "numbers" }),
    predict("image", undefined, picture("ramp"), { closeness: "numbers" }),
    predict("image", TEXT, picture("bright").toString("base64"), { closeness: "numbers" }),
    predict("image", "image/png", "no picture"),
    predict("segments", "image/png", picture("ramp")),
    predict("boxes", "image/png", picture("ramp")),
    ...textCalls(),
  ];
}

function eagerCalls(): readonly RecordedCall[] {
  return [
    predict("eager", JSON_TYPE, '{"values":[1,2,3]}'),
    predict("eager", JSON_TYPE, "[1,2,3]"),
    predict("eager", JSON_TYPE, "[1,2,3]", { path: "/predictions/eager/1.0" }),
    predict("eager", JSON_TYPE, "[1,2,3]", { method: "PUT" }),
    predict("eager", JSON_TYPE, "[0.1,0.2,0.3]", { closeness: "numbers" }),
    predict("eager", JSON_TYPE, "[1,2]"),
    predict("eager", JSON_TYPE, "no json"),
    predict("eager", JSON_TYPE, "[1,2,3]", { path: "/explanations/eager" }),
    predict("eager", JSON_TYPE, '{"values":[1,2,3]}', { path: "/explanations/eager/1.0" }),
    predict("scripted", JSON_TYPE, "[1,2,3]"),
    predict("scripted", JSON_TYPE, '["1","2","3"]'),
    predict("scripted", JSON_TYPE, "[1,2,3]", { path: "/explanations/scripted" }),
    predict("eager", JSON_TYPE, '{"instances":[[1,2,3]]}', { path: "/v1/models/orders:predict" }),
  ];
}

const ORDERS = [
  "bytes",
  "text",
  "typed text",
  "teapot",
  "number",
  "nothing",
  "empty",
  "list",
  "unicode",
  "set",
  "status",
];

function orderCalls(): readonly RecordedCall[] {
  const form = new FormData();
  form.set("order", "text");
  const fields = new FormData();
  fields.set("typed", "a value");
  fields.set("file", new Blob(["\u0001é"], { type: "image/png" }), "x.png");
  fields.set("json", new Blob(['{"a":1}'], { type: JSON_TYPE }), "x.json");
  const headers = { "x-custom": "yes" };
  return [
    ...ORDERS.map((order) => predict("orders", TEXT, order)),
    predict("orders", TEXT, "plain words", { headers }),
    predict("orders", "text/html; charset=utf-8", "<p>é</p>", { headers }),
    predict("orders", JSON_TYPE, '{"a":[1,null,"x"]}', { headers }),
    predict("orders", `${JSON_TYPE}; charset=utf-8`, '{"a":1}'),
    predict("orders", JSON_TYPE, '"a string"'),
    predict("orders", "application/octet-stream", Buffer.from([0, 1, 254, 255])),
    predict("orders", "application/x-unknown", "whatever"),
    predict("orders", undefined, Buffer.from("no type at all")),
    predict("orders", TEXT, ""),
    predict("orders", "application/x-www-form-urlencoded", "order=text"),
    predict("orders", "application/x-www-form-urlencoded", "a=1&b=x+y&c=%C3%A9"),
    predict("orders", undefined, form),
    predict("orders", undefined, fields),
    predict("orders", TEXT, "plain", { path: "/predictions/orders?asked=1&other=two" }),
    predict("orders", TEXT, "text", { path: "/predictions/orders/1.0" }),
  ];
}

function errorCalls(): readonly RecordedCall[] {
  return [
    ...["raise", "refuse", "refuse oddly", "memory"].map((order) => predict("orders", TEXT, order)),
    ...["dict", "short", "fine"].map((order) => predict("wrong", TEXT, order)),
    predict("nobody", TEXT, "x"),
    predict("eager", TEXT, "x", { path: "/predictions/eager/7.0" }),
    predict("eager", TEXT, "x", { path: "/predictions" }),
    predict("eager", TEXT, "x", { path: "/no/such/path" }),
    predict("eager", TEXT, "x", { method: "DELETE" }),
    predict("nobody", TEXT, "x", { path: "/explanations/nobody" }),
    { name: "GET /ping", port: "inference", method: "GET", path: "/ping", closeness: "bytes" },
    {
      name: "GET /models on the inference port",
      port: "inference",
      method: "GET",
      path: "/models",
      closeness: "bytes",
    },
    { name: "OPTIONS /", port: "inference", method: "OPTIONS", path: "/", closeness: "api" },
    {
      name: "GET /api-description",
      port: "inference",
      method: "GET",
      path: "/api-description",
      closeness: "api",
    },
    {
      name: "OPTIONS /predictions/eager",
      port: "inference",
      method: "OPTIONS",
      path: "/predictions/eager",
      closeness: "api",
    },
    {
      name: "GET /predictions/eager",
      port: "inference",
      method: "GET",
      path: "/predictions/eager",
      closeness: "status",
    },
  ];
}

function statefulCalls(): readonly RecordedCall[] {
  const of = (sequence: string, amount: string): RecordedCall =>
    predict("stateful", TEXT, amount, { headers: { ts_request_sequence_id: sequence } });
  return [of("one", "5"), of("one", "6"), of("two", "1"), of("one", "-1"), of("two", "1")];
}

function textCalls(): readonly RecordedCall[] {
  const texts = ["the film is good", "The FILM is <b>not</b> Good!", "Don't", "Café"];
  return texts.map((text) => predict("text", TEXT, text, { closeness: "numbers" }));
}
