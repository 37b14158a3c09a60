// Tests rest-edge.ts: generated and mutated requests.
import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import fc from "fast-check";
import { ADD_SUB, identity, memoryInference } from "./memory-inference.kit.ts";
import { listen, send } from "./rest-sockets.kit.ts";

const { port, log, budget } = await listen(
  memoryInference({
    addsub: ADD_SUB,
    echo: identity("FP32"),
    big: identity("INT64"),
    text: identity("BYTES"),
  }),
  { limits: { maxEnvelopeBytes: 4096 } },
);

/** Things that an error must never show. A short host name could also be a word of the request. */
const LEAKS = [
  process.cwd(),
  "node_modules",
  ".js:",
  ".ts:",
  "    at ",
  "file://",
  ...(hostname().length > 5 ? [hostname()] : []),
];

interface Attempt {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS";
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly payload: string | Buffer;
}

/** Sends it; asserts that the response is 2xx or a 4xx with a JSON error body that leaks nothing. Returns the status. */
async function attempt({ method, url, headers, payload }: Attempt): Promise<number> {
  const { status, headers: answered, body: bytes } = await send(port, { method, url, headers, payload });
  const text = bytes.toString();
  const shown = `${method} ${url} ${JSON.stringify(headers)} ${payload.toString().slice(0, 300)} → ${status} ${text}`;
  assert.ok(status < 500, shown);
  if (status < 400) return status;
  const body = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual(Object.keys(body), ["error", "reason"], shown);
  assert.ok(
    typeof body["error"] === "string" && body["error"].length > 0 && body["error"].length < 2000,
    shown,
  );
  assert.match(String(body["reason"]), /^[a-z0-9_]+$/, shown);
  for (const leak of LEAKS) assert.ok(!text.includes(leak), `leaks ${leak}: ${shown}`);
  assert.equal(answered["x-request-id"] !== undefined, true);
  return status;
}

const GOOD = {
  id: "7",
  inputs: [
    { name: "a", shape: [1, 2], datatype: "FP32", data: [1, 2] },
    { name: "b", shape: [1, 2], datatype: "FP32", data: [[3, 4]] },
  ],
  outputs: [{ name: "sum" }],
  parameters: { x: 1 },
};

const HOSTILE_NUMBERS = [
  "-1",
  "0",
  "1.5",
  "2147483647",
  "2147483648",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "1e400",
  "-1e400",
  "1e-400",
  "NaN",
  "Infinity",
  "-Infinity",
  "9".repeat(32),
  "9".repeat(400),
  "-0",
  "01",
  "1e",
  "0x10",
];
const HOSTILE_VALUES = [
  ...HOSTILE_NUMBERS,
  "null",
  "true",
  '""',
  '"x"',
  '"\\ud800"',
  '"\\u0000"',
  "[]",
  "{}",
  "[[]]",
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  "[".repeat(100),
  "[".repeat(63) + "]".repeat(63),
  '"unterminated',
  "",
  "\u0000",
  '{"b64":"!"}',
  `"${"x".repeat(3000)}"`,
];

const hostileValue = fc.oneof(fc.constantFrom(...HOSTILE_VALUES), fc.json({ maxDepth: 4 }));

/** The good request's text with one value, key or character replaced. */
const mutated = fc
  .record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.constantFrom("value", "key", "byte", "cut", "double"),
    value: hostileValue,
    byte: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ at, kind, value, byte }) => {
    const text = JSON.stringify(GOOD);
    if (kind === "cut") return Buffer.from(text.slice(0, Math.floor(at * text.length)));
    if (kind === "byte") {
      const bytes = Buffer.from(text);
      bytes[Math.floor(at * (bytes.length - 1))] = byte;
      return bytes;
    }
    if (kind === "double") return Buffer.from(text.replace("{", `{"inputs":${value},`));
    const places = [
      ...text.matchAll(
        kind === "key" ? /"[a-z0-9]+"(?=:)/g : /(?<=[:[,])("[^"]*"|\d+|\[[\d,[\]]*\])(?=[,\]}])/g,
      ),
    ];
    const place = places[Math.floor(at * (places.length - 1))]!;
    const replacement = kind === "key" ? JSON.stringify(value.slice(0, 50)) : value;
    return Buffer.from(text.slice(0, place.index) + replacement + text.slice(place.index + place[0].length));
  });

const headers = fc.dictionary(
  fc.constantFrom(
    "inference-header-content-length",
    "x-request-timeout-ms",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "x-request-id",
  ),
  fc.oneof(
    fc.constantFrom(
      ...HOSTILE_NUMBERS,
      "gzip",
      "deflate",
      "application/json",
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/octet-stream",
      "garbage",
      "é",
    ),
    fc.stringMatching(/^[ -~]{0,40}$/),
  ),
  { maxKeys: 2 },
);

const run = { numRuns: 1500 };

test("mutations of a good infer request: 2xx or an honest 4xx, whatever was changed", async () => {
  let rejected = 0;
  await fc.assert(
    fc.asyncProperty(mutated, headers, async (payload, extra) => {
      const status = await attempt({
        method: "POST",
        url: "/v2/models/addsub/infer",
        headers: extra,
        payload,
      });
      if (status >= 400) rejected++;
    }),
    run,
  );
  assert.ok(rejected > 500, `only ${rejected} mutations were rejected: they are too tame`);
});

test("anything at all as a body, on every route that takes one", async () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    hostileValue.map((value) => Buffer.from(`{"input":${value}}`)),
    hostileValue.map((value) => Buffer.from(`{"input":[${value},1]}`)),
    hostileValue.map((value) => Buffer.from(value)),
  );
  const url = fc.constantFrom(
    "/predict/echo",
    "/predict/big",
    "/predict/text",
    "/predict/addsub",
    "/v2/models/echo/infer",
    "/v2/repository/index",
    "/predict/echo/versions/1",
  );
  await fc.assert(
    fc.asyncProperty(url, payload, headers, (to, body, extra) =>
      attempt({ method: "POST", url: to, headers: extra, payload: body }).then(() => {}),
    ),
    run,
  );
});

test("any URL and method", async () => {
  const segment = fc.oneof(
    fc.constantFrom(
      "v2",
      "models",
      "predict",
      "echo",
      "versions",
      "1",
      "infer",
      "ready",
      "health",
      "live",
      "..",
      "%2e%2e",
      "%2f",
      "%5c",
      "%00",
      "%c0%ae",
      "%zz",
      "%",
      "__proto__",
      "constructor",
      "a".repeat(129),
      "%C3%A9",
      "*",
      ":model",
      "~",
      ";x=1",
    ),
    fc.webSegment(),
  );
  const url = fc
    .tuple(fc.array(segment, { maxLength: 8 }), fc.constantFrom("", "?", "?a=1", "?__proto__[x]=1"))
    .map(([parts, query]) => `/${parts.join("/")}${query}`);
  const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS" as const);
  await fc.assert(
    fc.asyncProperty(method as fc.Arbitrary<Attempt["method"]>, url, (how, to) =>
      attempt({ method: how, url: to, headers: {}, payload: "" }).then(() => {}),
    ),
    run,
  );
});

test("depths, lengths and counts far past the limits are rejected in a moment", async () => {
  const before = process.cpuUsage();
  const shapes: Array<[payload: string, reason: RegExp]> = [
    [`{"a":${"[".repeat(65)}`, /json_too_deep/],
    [`{"a":${"[".repeat(10_000_000)}`, /json_too_deep/],
    [`{"inputs":[{"name":"in","shape":[1],"datatype":"FP32","data":${"[".repeat(250_000)}`, /json_too_deep/],
    [`{"x":"${"y".repeat(5000)}","inputs":[]}`, /envelope_too_large/],
    [`{"inputs":[${"0,".repeat(1000)}0]}`, /bad_request/],
    [`{${Array.from({ length: 100 }, (_, i) => `"k${i}":0`).join(",")},"k57":1}`, /duplicate_key/],
  ];
  for (const [payload, reason] of shapes) {
    const { status, body } = await send(port, { method: "POST", url: "/v2/models/echo/infer", payload });
    assert.equal(status, 400);
    assert.match((JSON.parse(body.toString()) as { reason: string }).reason, reason);
  }
  // Processor time: other processes of a busy machine do not count.
  const { user } = process.cpuUsage(before);
  assert.ok(user < 5_000_000, `took ${user / 1000} ms of the processor`);
});

test("64 levels of JSON pass the scanner, 65 do not; 256 tensors, not 257", async () => {
  const nested = (levels: number): string =>
    `{"x":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)},"inputs":0}`;
  const reasonOf = async (payload: string): Promise<string> =>
    (await send(port, { method: "POST", url: "/v2/models/echo/infer", payload })).body.toString();
  assert.match(await reasonOf(nested(63)), /inputs: expected an array/);
  assert.match(await reasonOf(nested(64)), /inputs: expected an array/);
  assert.match(await reasonOf(nested(65)), /nested deeper than 64 levels/);
  const tensors = (count: number): string => JSON.stringify({ inputs: new Array(count).fill(0) });
  assert.match(await reasonOf(tensors(256)), /inputs\[0\]: expected an object/);
  assert.match(await reasonOf(tensors(257)), /lists more than 256 tensors/);
});

test("nothing was polluted, logged as our fault, or left behind", () => {
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.deepEqual(log.errors, []);
  assert.deepEqual([budget.requests, budget.bytes], [0, 0]);
});
