// Tests both ends of a link over a real socket pair, with an inference that says what it was asked.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { CallSignal } from "../base/call-signal.ts";
import { systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import {
  type InferRequest,
  type InferResponse,
  NO_PARAMETERS,
  type ParameterValue,
} from "../base/infer-request.ts";
import { RequestStream } from "../base/request-stream.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { Datatype } from "../base/tensor.ts";
import { Timeline } from "../base/timeline.ts";
import { until } from "../base/until.kit.ts";
import { InferenceHost } from "./inference-host.ts";
import { createRemoteInference, type RemoteInference } from "./remote-inference.ts";

/** Two clocks may be read on two sides of a pause. */
const CLOCKS_MS = 1000;

interface Asked {
  readonly request: InferRequest;
  readonly receiver: ResultReceiver<InferResponse>;
}

const asked: Asked[] = [];
let revision = 1;
let onAsked = (_: Asked): void => {};

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const near = connect(port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  if (near.connecting) await once(near, "connect");
  server.close();
  return [near, far];
}

describe("a link", () => {
  let remote: RemoteInference;
  let host: InferenceHost;
  let isClosed = false;
  before(async () => {
    const [near, far] = await socketPair();
    host = new InferenceHost({
      end: far,
      clock: systemClock,
      revisionOf: () => revision,
      inference: {
        door: (model) => ({
          rejectEarly: () =>
            model === "full" ? new ServeError("unavailable", "full", { reason: "queue_full" }) : undefined,
        }),
        submit(request, receiver) {
          asked.push({ request, receiver });
          onAsked({ request, receiver });
        },
        acquireInputs: async (model) => {
          if (model === "none")
            throw new ServeError("not_found", "no such model", { reason: "model_not_found" });
          return [{ name: "x", datatype: "FP32", dims: [{ symbol: "n", min: 1, max: undefined }, 4] }];
        },
      },
    });
    remote = createRemoteInference({
      end: near,
      clock: systemClock,
      onLeft() {},
      onClose() {
        isClosed = true;
      },
    });
  });
  after(() => host.destroy());

  function request(given: Partial<InferRequest> = {}): InferRequest {
    return {
      model: "m",
      version: undefined,
      id: "7",
      inputs: [],
      outputs: undefined,
      parameters: NO_PARAMETERS,
      priority: 0,
      deadlineMs: undefined,
      signal: new CallSignal(),
      timeline: new Timeline(systemClock.nowMs()),
      ...given,
    };
  }
  const echo = ({ request: { model, inputs, parameters }, receiver }: Asked): void =>
    receiver.resolve({ model, version: "3", id: undefined, outputs: inputs, parameters, batchRows: 2 });

  test("whatever is asked comes as it is, and so does whatever is answered", async () => {
    const value = fc.oneof(fc.boolean(), fc.double(), fc.bigInt(), fc.string());
    const tensor = fc.record({
      name: fc.string(),
      datatype: fc.constantFrom<Datatype>("FP32", "INT64", "BYTES", "BOOL"),
      shape: fc.array(fc.nat(9), { maxLength: 3 }),
      bytes: fc.uint8Array({ maxLength: 40_000, size: "max" }),
    });
    const anything = fc.record({
      model: fc.string(),
      version: fc.option(fc.string(), { nil: undefined }),
      tenant: fc.option(fc.string(), { nil: undefined }),
      routeKey: fc.option(fc.string(), { nil: undefined }),
      inputs: fc.array(tensor, { maxLength: 3 }),
      outputs: fc.option(fc.array(fc.string()), { nil: undefined }),
      classify: fc.option(
        fc.array(fc.tuple(fc.string(), fc.nat())).map((pairs) => new Map(pairs)),
        { nil: undefined },
      ),
      parameters: fc
        .array(fc.tuple(fc.string(), value))
        .map((pairs) => new Map<string, ParameterValue>(pairs)),
      priority: fc.nat(9),
      deadlineMs: fc.option(fc.nat(1e6), { nil: undefined }),
      maxResponseBytes: fc.option(fc.nat(1e9), { nil: undefined }),
    });
    onAsked = echo;
    await fc.assert(
      fc.asyncProperty(anything, async (given) => {
        const sent = request(given);
        const response = await remote.inference.infer(sent);
        const { request: received } = asked.at(-1)!;
        for (const key of [
          "model",
          "version",
          "tenant",
          "routeKey",
          "outputs",
          "classify",
          "priority",
          "maxResponseBytes",
        ] as const)
          assert.deepEqual(received[key], given[key], key);
        assert.deepEqual([...received.parameters], [...given.parameters]);
        assert.deepEqual(plain(received.inputs), plain(given.inputs));
        assert.ok(Math.abs((received.deadlineMs ?? 0) - (given.deadlineMs ?? 0)) < CLOCKS_MS);
        assert.deepEqual(plain(response.outputs), plain(given.inputs));
        assert.deepEqual([response.id, response.version, response.batchRows], ["7", "3", 2]);
      }),
      { numRuns: 60 },
    );
  });

  test("a thousand requests of one turn are answered each by its own", async () => {
    onAsked = echo;
    const responses = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => {
        const bytes = new Uint8Array(Uint32Array.of(i, i + 1).buffer);
        return remote.inference.infer(
          request({ inputs: [{ name: "x", datatype: "UINT32", shape: [2], bytes }] }),
        );
      }),
    );
    const firsts = responses.map(({ outputs: [output] }) => Buffer.from(output!.bytes).readUInt32LE(0));
    assert.deepEqual(
      firsts,
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });

  test("stamps of the other process are those of this one's clock", async () => {
    onAsked = ({ request: { timeline }, ...rest }) => {
      timeline.enqueuedMs = systemClock.nowMs();
      timeline.answeredMs = systemClock.nowMs();
      timeline.computeMs = 5;
      timeline.steps = [{ name: "s", totalMs: 2, computeMs: 1, endedMs: timeline.answeredMs }];
      echo({ request: request(), ...rest });
    };
    const { timeline, ...others } = request();
    const beforeMs = systemClock.nowMs();
    await remote.inference.infer({ ...others, timeline });
    assert.ok(timeline.enqueuedMs > beforeMs - 1 && timeline.answeredMs < systemClock.nowMs() + 1);
    assert.equal(timeline.computeMs, 5);
    const [step] = timeline.steps!;
    assert.deepEqual([step!.name, step!.totalMs, step!.computeMs], ["s", 2, 1]);
    assert.ok(Math.abs(step!.endedMs - timeline.answeredMs) < 0.001);
  });

  test("a request that is traced here learns which runs it had a part in there", async () => {
    const [here, run] = [
      { traceId: "a".repeat(32), spanId: "b".repeat(16) },
      { traceId: "c".repeat(32), spanId: "d".repeat(16), rows: 4 },
    ];
    let there: unknown;
    onAsked = (asked) => {
      const { trace } = asked.request.timeline;
      there = { traceId: trace?.traceId, spanId: trace?.spanId };
      trace?.ran(run, 1);
      echo({ ...asked, request: { ...request(), timeline: asked.request.timeline } });
    };
    const runs: unknown[] = [];
    const given = request();
    given.timeline.trace = {
      ...here,
      isSampled: true,
      ran: (place, ownRows) => runs.push([place, ownRows]),
      ended() {},
    };
    await remote.inference.infer(given);
    assert.deepEqual(there, here);
    assert.deepEqual(runs, [[run, 1]]);
    given.timeline.trace = { ...given.timeline.trace, isSampled: false };
    await remote.inference.infer(given);
    assert.deepEqual(there, { traceId: undefined, spanId: undefined }, "nothing of it is recorded");
  });

  test("whether a body is wanted at all is asked before it is read", async () => {
    const view = (name: string) => ({
      name,
      revision: 1,
      serving: "1",
      versions: [{ version: "1", inputs: [] }],
    });
    host.show({ models: [view("full"), view("free")], gone: [] });
    await until("they are shown", () => remote.views.isKnown("free"));
    const judge = (model: string) =>
      remote.inference.door(model, undefined)?.rejectLater?.({ deadlineMs: systemClock.nowMs() });
    assert.equal((await judge("full"))?.reason, "queue_full");
    assert.equal(await judge("free"), undefined);
  });

  test("errors come with their code, reason and pause", async () => {
    onAsked = ({ receiver }) =>
      receiver.reject(new ServeError("unavailable", "full", { reason: "queue_full", retryAfterMs: 1500 }));
    const { code, reason, message, retryAfterMs } = (await remote.inference
      .infer(request())
      .catch(ServeError.from)) as ServeError;
    assert.deepEqual([code, reason, message, retryAfterMs], ["unavailable", "queue_full", "full", 1500]);
  });

  test("a client that leaves cancels its request there, for the reason that it left", async () => {
    const signal = new CallSignal();
    onAsked = ({ request: { signal: there }, receiver }) =>
      there.addEventListener("abort", () => receiver.reject(there.reason as Error));
    const running = remote.inference.infer(request({ signal })).catch(ServeError.from) as Promise<ServeError>;
    signal.abort(new ServeError("deadline_exceeded", "too late"));
    assert.equal((await running).code, "deadline_exceeded");
  });

  test("pieces come before the whole, and the end of a stream is told", async () => {
    const stream = new RequestStream();
    onAsked = (one) => {
      one.request.onPiece?.({ head: Buffer.from("h"), body: Buffer.from("b") });
      echo(one);
    };
    const pieces: string[] = [];
    await remote.inference.infer(
      request({
        stream,
        onPiece: ({ head, body }) => pieces.push(`${Buffer.from(head)}${Buffer.from(body)}`),
      }),
    );
    assert.deepEqual(pieces, ["hb"]);
    const there = asked.at(-1)!.request.stream!;
    assert.equal(there.isClosed, false);
    stream.close();
    await until("the stream is closed there, too", () => there.isClosed);
  });

  test("what a model takes is asked for, and kept as it is shown", async () => {
    const signal = new CallSignal();
    const inputs = await remote.inference.acquireInputs("m", undefined, signal);
    assert.equal(inputs[0]!.name, "x");
    await assert.rejects(remote.inference.acquireInputs("none", "1", signal), { reason: "model_not_found" });
    host.show({
      models: [{ name: "m", revision: 1, serving: "1", versions: [{ version: "1", inputs }] }],
      gone: [],
    });
    await until("it is shown", () => remote.views.isKnown("m"));
    assert.deepEqual(remote.views.inputsOf("m", undefined), remote.views.inputsOf("m", "1"));
    assert.equal(remote.views.inputsOf("m", "2"), undefined);
  });

  test("a request that was read by what its model took before it changed may be sent again", async () => {
    onAsked = ({ receiver }) =>
      receiver.reject(new ServeError("invalid_argument", "wrong datatype", { reason: "bad_input" }));
    await assert.rejects(remote.inference.infer(request()), { code: "invalid_argument" });
    revision = 2;
    await assert.rejects(remote.inference.infer(request()), { code: "unavailable", retryAfterMs: 0 });
  });

  test("when the link breaks, requests are cancelled there and fail here", async () => {
    let there: InferRequest["signal"] | undefined;
    onAsked = ({ request: { signal } }) => {
      there = signal;
    };
    const running = remote.inference.infer(request()).catch(ServeError.from) as Promise<ServeError>;
    await until("it is there", () => there !== undefined);
    host.destroy();
    assert.equal((await running).code, "unavailable");
    await until("it is cancelled there", () => there!.aborted && isClosed);
  });
});

/** A new field of theirs does not compile here until somebody has decided what becomes of it on a link. */
const FIELDS: {
  readonly request: Readonly<
    Record<keyof InferRequest, "carried" | "this process's own" | "not set by edges">
  >;
  readonly response: Readonly<Record<keyof InferResponse, "carried" | "the request's">>;
  readonly timeline: Readonly<Record<keyof Timeline, "there" | "back" | "this process's own">>;
} = {
  request: {
    model: "carried",
    version: "carried",
    id: "this process's own",
    inputs: "carried",
    outputs: "carried",
    classify: "carried",
    parameters: "carried",
    priority: "carried",
    deadlineMs: "carried",
    signal: "carried",
    tenant: "carried",
    routeKey: "carried",
    isAlone: "carried",
    isCharged: "not set by edges",
    stream: "carried",
    onPiece: "carried",
    timeline: "carried",
    maxResponseBytes: "carried",
  },
  response: {
    model: "carried",
    version: "carried",
    id: "the request's",
    outputs: "carried",
    parameters: "carried",
    batchRows: "carried",
  },
  timeline: {
    receivedMs: "there",
    bodyMs: "there",
    preparedMs: "this process's own",
    enqueuedMs: "back",
    claimedMs: "back",
    dispatchedMs: "back",
    answeredMs: "back",
    finishedMs: "this process's own",
    encodedMs: "this process's own",
    computeMs: "back",
    steps: "back",
    // Of it the runs come back.
    trace: "there",
  },
};

test("what a link does with every field is decided", () => {
  assert.ok(Object.keys(FIELDS.request).length > 0);
});

function plain(tensors: InferRequest["inputs"]): unknown {
  return tensors.map(({ name, datatype, shape, bytes }) => [
    name,
    datatype,
    shape,
    Buffer.from(bytes).toString("hex"),
  ]);
}
