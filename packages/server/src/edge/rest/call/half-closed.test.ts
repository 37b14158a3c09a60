import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../../base/clock.ts";
import { until } from "../../../base/until.kit.ts";
import { createListener } from "../../listener.ts";
import { identity, type MemoryModel, memoryInference, spec } from "../memory-inference.kit.ts";
import { openEdge } from "../rest-edge.kit.ts";
import { BODY, post } from "../rest-sockets.kit.ts";

/** Answers when it is told to. */
const open: Array<() => void> = [];
const reasons: unknown[] = [];
const WAITS: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "FP32")],
  run: ([input], { signal }) =>
    new Promise((resolve, reject) => {
      open.push(() => resolve([{ ...input!, name: "out" }]));
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason);
        reject(signal.reason);
      });
    }),
};

const { edge, budget } = openEdge(memoryInference({ waits: WAITS, echo: identity("FP32") }));
const listener = createListener({
  clock: systemClock,
  onHttp1: (socket) => edge.accept(socket),
  onHttp2: (socket) => socket.destroy(),
});
const { port } = await listener.listen("127.0.0.1", 0);
test.after(() => {
  edge.destroy();
  listener.destroy();
});

/** Sends bytes and FIN behind them; resolves with all that comes back. */
function halfClosed(bytes: Buffer | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("end", () => resolve(text));
    socket.end(bytes);
  });
}

const INTERIM = /HTTP\/1\.1 100 Continue\r\n\r\n/g;

test("a POST whose client sends FIN behind it is answered, at once or later", async () => {
  assert.match(
    (await halfClosed(post("/predict/echo", '{"input":[1,2]}'))).replace(INTERIM, ""),
    /^HTTP\/1\.1 200 /,
  );
  for (const version of ["1.1", "1.0"]) {
    const request = post("/v2/models/waits/infer", BODY).toString().replace("HTTP/1.1", `HTTP/${version}`);
    const answer = halfClosed(request);
    await until("it runs", () => open.length === 1);
    // Longer than the first questions take.
    await new Promise((resolve) => setTimeout(resolve, 50));
    open.pop()!();
    const text = await answer;
    assert.match(text.replace(INTERIM, ""), /^HTTP\/1\.1 200 /, version);
    assert.equal(INTERIM.test(text), version === "1.1", "an interim response, but for HTTP/1.0");
    INTERIM.lastIndex = 0;
  }
  assert.deepEqual(reasons, []);
});

test("pipelined requests with FIN behind them are all answered, in order", async () => {
  const keep = (path: string) => post(path, BODY).toString().replace("Connection: close\r\n", "");
  const answer = halfClosed(
    keep("/v2/models/waits/infer") + keep("/v2/models/echo/infer") + post("/v2/models/nope/infer", BODY),
  );
  await until("it runs", () => open.length === 1);
  open.pop()!();
  const statuses = [...(await answer).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(
    statuses.filter((status) => status !== "100"),
    ["200", "200", "404"],
  );
});

test("a request that is cut short by FIN is not answered as if it were whole", async () => {
  const cut = post("/v2/models/echo/infer", BODY).subarray(0, -1);
  assert.match(await halfClosed(cut), /^HTTP\/1\.1 400 /);
});

test("a client that closed its connection is noticed, and its work is stopped", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write(post("/v2/models/waits/infer", BODY));
  await until("it runs", () => open.length === 1);
  socket.destroy();
  await until("its work is stopped", () => reasons.length === 1);
  assert.equal((reasons[0] as { code: string }).code, "cancelled");
  await until("all is given back", () => budget.requests === 0 && budget.bytes === 0);
  open.length = 0;
});
