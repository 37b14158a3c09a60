import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type AnsweringServer, answeringServer, jsonAnswer } from "./answering-server.kit.ts";
import { ClientError } from "./client-error.ts";
import { createClient } from "./create-client.ts";
import { systemTiming, type Timing } from "./timing.ts";
import { tensor } from "./typed-tensor.ts";

const servers: AnsweringServer[] = [];
after(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

async function serve(...args: Parameters<typeof answeringServer>): Promise<AnsweringServer> {
  const server = await answeringServer(...args);
  servers.push(server);
  return server;
}

const GOOD = jsonAnswer(200, { prediction: 7 });
const DOWN = jsonAnswer(503, { error: "the server is draining", reason: "draining" });
const INPUT = [1];

/** Waits to ask again cost nothing and are written down; a deadline is one. */
function quickTiming(): Timing & { readonly waitsMs: number[] } {
  const waitsMs: number[] = [];
  return {
    ...systemTiming,
    waitsMs,
    wait: async (ms, signal) => {
      if (ms >= 60_000) return systemTiming.wait(ms, signal);
      waitsMs.push(ms);
    },
  };
}

test("a server that is full for a moment is asked again, after what it asked for", async () => {
  const full = jsonAnswer(429, { error: "the queue is full", reason: "queue_full" }, { "retry-after": "2" });
  const server = await serve((...call) => (server.requests < 3 ? full : GOOD)(...call));
  const timing = quickTiming();
  const client = createClient(server.url, { timing });
  assert.equal(await client.predict("digits", INPUT), 7);
  assert.equal(server.requests, 3);
  assert.deepEqual(timing.waitsMs, [2000, 2000]);
});

test("what the server refuses for good is asked once, and told as the server told it", async () => {
  const server = await serve(
    jsonAnswer(
      404,
      { error: 'model "x" does not exist', reason: "model_not_found" },
      { "x-request-id": "r1" },
    ),
  );
  await assert.rejects(createClient(server.url).predict("x", INPUT), (error) => {
    assert.ok(error instanceof ClientError);
    const { code, reason, message, status, requestId, endpoint } = error;
    assert.deepEqual(
      { code, reason, message, status, requestId, endpoint },
      {
        code: "not_found",
        reason: "model_not_found",
        message: 'model "x" does not exist',
        status: 404,
        requestId: "r1",
        endpoint: server.url,
      },
    );
    return true;
  });
  assert.equal(server.requests, 1);
});

test("a page of a proxy becomes a sentence", async () => {
  const server = await serve((response) => response.writeHead(500).end("<html>oops</html>"));
  await assert.rejects(createClient(server.url).predict("x", INPUT), {
    code: "internal",
    message: `${server.url} answered with status 500`,
  });
});

test("a call that may not be repeated is asked once", async () => {
  const server = await serve(DOWN);
  const client = createClient(server.url, { timing: quickTiming() });
  await assert.rejects(client.predict("m", INPUT, { mayRepeat: false }), { reason: "draining" });
  assert.equal(server.requests, 1);
});

test("a broken server is not asked much more often than there are calls", async () => {
  const server = await serve(DOWN);
  const client = createClient(server.url, { timing: quickTiming() });
  for (let call = 0; call < 100; call++) await assert.rejects(client.predict("m", INPUT));
  assert.equal(server.requests, 110);
});

test("calls go on at the servers that answer, and one that does not is left alone", async () => {
  const dead = await serve(DOWN);
  const good = await serve(GOOD);
  const client = createClient([dead.url, good.url], { timing: { ...quickTiming(), nowMs: () => 0 } });
  for (let call = 0; call < 100; call++) assert.equal(await client.predict("m", INPUT), 7);
  assert.equal(good.requests, 100);
  assert.equal(dead.requests, 3);
});

test("a server that came back is used again", async () => {
  let nowMs = 0;
  const timing = { ...quickTiming(), nowMs: () => nowMs };
  const [first, second] = [await serve(DOWN), await serve(GOOD)];
  const client = createClient([first.url, second.url], { timing });
  for (let call = 0; call < 40; call++) await client.predict("m", INPUT);
  first.answer = GOOD;
  const seen = first.requests;
  for (let call = 0; call < 20; call++) await client.predict("m", INPUT);
  assert.equal(first.requests, seen);
  nowMs = 1_001;
  for (let call = 0; call < 40; call++) await client.predict("m", INPUT);
  assert.ok(first.requests > seen);
});

test("a server that nobody listens for is told by its address and the cause", async () => {
  const gone = await answeringServer(GOOD);
  await gone.close();
  await assert.rejects(createClient(gone.url, { attempts: 1 }).predict("m", INPUT), {
    code: "unavailable",
    message: /^http:\/\/127\.0\.0\.1:\d+ did not answer: .*ECONNREFUSED/,
  });
});

test("a server that never answers costs the time that was given, and the server is told it", async () => {
  let told: string | undefined;
  let asked: (() => void) | undefined;
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = await serve((_, request) => {
    told = request.headers["x-request-timeout-ms"] as string;
    asked?.();
  });
  // Time is up when the server has the request.
  const timing = { ...systemTiming, wait: () => isAsked };
  await assert.rejects(createClient(server.url, { timing }).predict("m", INPUT, { timeoutMs: 30 }), {
    code: "deadline_exceeded",
    message: `${server.url} did not answer within 30 ms`,
  });
  assert.equal(told, "30");
});

test("an aborted call rejects with the signal's reason, and the server sees it", async () => {
  const abort = new AbortController();
  let seen: (() => void) | undefined;
  const left = new Promise<void>((resolve) => {
    seen = resolve;
  });
  const server = await serve((response) => {
    response.on("close", () => seen?.());
    abort.abort(new Error("enough"));
  });
  await assert.rejects(createClient(server.url).predict("m", INPUT, { signal: abort.signal }), /enough/);
  await left;
});

test("a closed client cancels its calls", async () => {
  const server = await serve(() => client.close());
  const client = createClient(server.url);
  await assert.rejects(client.predict("m", INPUT), /the client was closed/);
});

test("a hedged call is answered by the second server when the first hangs, and the first is let go", async () => {
  let isLetGo: (() => void) | undefined;
  const letGo = new Promise<void>((resolve) => {
    isLetGo = resolve;
  });
  const hanging = await serve((response) => response.on("close", () => isLetGo?.()));
  const good = await serve(GOOD);
  // Always draws the first.
  const timing = { ...systemTiming, random: () => 0 };
  const client = createClient([hanging.url, good.url], { hedgeAfterMs: 5, timing });
  assert.equal(await client.predict("m", INPUT), 7);
  await letGo;
});

test("a hedged call whose first server fails at once is asked again elsewhere", async () => {
  const [dead, good] = [await serve(DOWN), await serve(GOOD)];
  const client = createClient([dead.url, good.url], {
    hedgeAfterMs: 60_000,
    timing: { ...systemTiming, random: () => 0 },
  });
  assert.equal(await client.predict("m", INPUT), 7);
  assert.equal(dead.requests, 1);
});

test("headers are sent with every call, and asked anew", async () => {
  const seen: (string | undefined)[] = [];
  const server = await serve((response, request, body) => {
    seen.push(request.headers.authorization);
    GOOD(response, request, body);
  });
  let token = 0;
  const client = createClient(server.url, { headers: () => ({ authorization: `Bearer ${++token}` }) });
  await client.predict("m", INPUT);
  await client.predict("m", INPUT);
  assert.deepEqual(seen, ["Bearer 1", "Bearer 2"]);
});

test("an answer that cannot be read is told as such", async () => {
  const server = await serve(jsonAnswer(200, { outputs: 3 }));
  await assert.rejects(createClient(server.url).infer("m", { x: tensor("FP32", [1], [1]) }), {
    code: "data_loss",
    message: /sent an answer that cannot be read/,
  });
});

test("an answer as JSON is read as one in binary", async () => {
  const output = { name: "y", datatype: "INT64", shape: [2, 1], data: [[3], [4]] };
  const server = await serve(jsonAnswer(200, { model_name: "m", model_version: "2", outputs: [output] }));
  const { outputs, version } = await createClient(server.url).infer("m", { x: tensor("FP32", [1], [1]) });
  assert.deepEqual(outputs, { y: tensor("INT64", [2, 1], [3n, 4n]) });
  assert.equal(version, "2");
});

test("what is no address is refused when the client is made", () => {
  for (const endpoint of ["127.0.0.1:8080", "ftp://host", "", "http//x"])
    assert.throws(() => createClient(endpoint), { code: "invalid_argument" });
  assert.throws(() => createClient([]), /needs the address/);
});
