import type { Closeness, RecordedCall } from "./recorded-call.ts";

function manage(method: string, path: string, closeness: Closeness = "bytes"): RecordedCall {
  return { name: `${method} ${path}`, port: "management", method, path, closeness };
}

const REGISTERED = [
  "orders",
  "wrong",
  "batched",
  "streaming",
  "stateful",
  "image",
  "segments",
  "boxes",
  "text",
  "scripted",
];

/** From a server without models to one with all of `torchserve_models.py`, and back. `between`: what is asked when all are there. */
export function managementCalls(between: readonly RecordedCall[]): readonly RecordedCall[] {
  return [
    ...emptyCalls(),
    manage("POST", "/models?url=eager.mar&initial_workers=1&synchronous=true"),
    manage("POST", "/models?url=eager.mar&initial_workers=1&synchronous=true"),
    ...REGISTERED.map((name) => manage("POST", `/models?url=${name}.mar&initial_workers=1&synchronous=true`)),
    ...listCalls(),
    ...between,
    ...scaleCalls(),
    ...versionCalls(),
    ...REGISTERED.map((name) => manage("DELETE", `/models/${name}`)),
    manage("DELETE", "/models/eager"),
    manage("GET", "/models"),
  ];
}

function emptyCalls(): readonly RecordedCall[] {
  return [
    manage("GET", "/models"),
    manage("GET", "/models/eager"),
    manage("GET", "/models/eager/1.0"),
    manage("GET", "/models/eager/all"),
    manage("DELETE", "/models/eager"),
    manage("DELETE", "/models/eager/1.0"),
    manage("PUT", "/models/eager?min_worker=1"),
    manage("PUT", "/models/eager/1.0/set-default"),
    manage("POST", "/models"),
    manage("POST", "/models?url="),
    manage("POST", "/models?url=nobody.mar"),
    manage("POST", "/models?url=../eager.mar", "status"),
    manage("GET", "/no/such/path"),
    manage("PATCH", "/models/eager", "status"),
    manage("POST", "/predictions/eager"),
    manage("OPTIONS", "/", "api"),
    manage("GET", "/api-description", "api"),
    manage("GET", "/ping"),
  ];
}

function listCalls(): readonly RecordedCall[] {
  return [
    manage("GET", "/models"),
    manage("GET", "/models?limit=3"),
    manage("GET", "/models?limit=3&next_page_token=3"),
    manage("GET", "/models?limit=3&next_page_token=9"),
    manage("GET", "/models?limit=100&next_page_token=50"),
    manage("GET", "/models?limit=0"),
    manage("GET", "/models?limit=500"),
    manage("GET", "/models?limit=-1"),
    manage("GET", "/models?limit=x"),
    manage("GET", "/models?next_page_token=-1"),
    manage("GET", "/models/orders", "shape"),
    manage("GET", "/models/orders/1.0", "shape"),
    manage("GET", "/models/orders/all", "shape"),
    manage("GET", "/models/orders/9.0"),
    manage("GET", "/models/batched", "shape"),
    manage("GET", "/models/stateful", "shape"),
    manage("GET", "/models/eager?customized=true", "shape"),
    manage("GET", "/models/eager?customized=false", "shape"),
    manage("GET", "/models/orders?customized=true", "shape"),
  ];
}

function scaleCalls(): readonly RecordedCall[] {
  return [
    manage("PUT", "/models/orders?min_worker=2&max_worker=2&synchronous=true"),
    manage("GET", "/models/orders", "shape"),
    manage("PUT", "/models/orders?min_worker=1&max_worker=1&synchronous=true"),
    manage("PUT", "/models/orders/1.0?min_worker=1&synchronous=true"),
    manage("PUT", "/models/orders?min_worker=1", "bytes"),
    manage("PUT", "/models/orders?min_worker=2&max_worker=1&synchronous=true"),
    manage("PUT", "/models/orders?min_worker=x", "status"),
    manage("PUT", "/models/orders/9.0?min_worker=1&synchronous=true"),
    manage("PUT", "/models/nobody?min_worker=1&synchronous=true"),
    manage("PUT", "/models/wrong?min_worker=0&max_worker=0&synchronous=true"),
    manage("GET", "/models/wrong", "shape"),
    {
      name: "predict without workers",
      port: "inference",
      method: "POST",
      path: "/predictions/wrong",
      body: Buffer.from("x"),
      closeness: "bytes",
    },
    manage("PUT", "/models/wrong?min_worker=1&max_worker=1&synchronous=true"),
    {
      name: "predict with workers again",
      port: "inference",
      method: "POST",
      path: "/predictions/wrong",
      headers: { "content-type": "text/plain" },
      body: Buffer.from("x"),
      closeness: "bytes",
    },
  ];
}

function versionCalls(): readonly RecordedCall[] {
  const predict = (path: string): RecordedCall => ({
    name: `POST ${path}`,
    port: "inference",
    method: "POST",
    path,
    headers: { "content-type": "application/json" },
    body: Buffer.from("[1,2,3]"),
    closeness: "bytes",
  });
  return [
    manage("POST", "/models?url=eager_v2.mar&initial_workers=1&synchronous=true"),
    manage("GET", "/models/eager/all", "shape"),
    manage("GET", "/models/eager/2.0", "shape"),
    predict("/predictions/eager/2.0"),
    predict("/predictions/eager/1.0"),
    manage("PUT", "/models/eager/2.0/set-default"),
    manage("PUT", "/models/eager/9.0/set-default"),
    manage("PUT", "/models/nobody/1.0/set-default"),
    manage("DELETE", "/models/eager/2.0"),
    manage("PUT", "/models/eager/1.0/set-default"),
    manage("DELETE", "/models/eager/2.0"),
    manage("DELETE", "/models/eager/2.0"),
    predict("/predictions/eager"),
  ];
}
