import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import type { SequenceTurns } from "../../base/model-description.ts";
import { type ResultReceiver, submitTo } from "../../base/result-receiver.ts";
import { candidateOf, requestOf, StubModel, turns } from "../../models/models.kit.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { createTurnTakingModel } from "./turn-taking-model.ts";

/** Answers when a test says so. */
class Handler extends StubModel {
  readonly open: { readonly request: InferRequest; readonly receiver: ResultReceiver<InferResponse> }[] = [];

  override submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.open.push({ request, receiver });
  }

  get running(): (string | undefined)[] {
    return this.open.map(({ request }) => request.id);
  }

  take(id: string) {
    const at = this.open.findIndex(({ request }) => request.id === id);
    return this.open.splice(at, 1)[0]!.receiver;
  }

  finish(id: string): void {
    const of = { model: "m", version: "1", outputs: [], parameters: NO_PARAMETERS, batchRows: 1 };
    this.take(id).resolve({ ...of, id });
  }

  lose(id: string): void {
    this.take(id).reject(new ServeError("internal", "the model raised", { reason: "model_failed" }));
  }
}

function setUp(given: Partial<SequenceTurns> = {}) {
  const clock = new ManualClock();
  const inner = new Handler(candidateOf("m"));
  const limits = { idleMs: 1000, maxSequences: 2, maxWaiting: 2, ...given };
  return { clock, inner, model: createTurnTakingModel(inner, limits, { clock }) };
}

interface Asked extends Partial<Pick<InferRequest, "tenant" | "signal">> {
  readonly isEnd?: boolean;
}

function ask(
  model: ServedModelHandle,
  id: string,
  sequence?: string,
  { isEnd = false, ...rest }: Asked = {},
) {
  const parameters =
    sequence === undefined
      ? NO_PARAMETERS
      : new Map<string, string | boolean>([
          ["sequence_id", sequence],
          ["sequence_end", isEnd],
        ]);
  const asked = submitTo(model, requestOf("m", { id, parameters, ...rest }));
  asked.catch(() => {});
  return asked;
}

describe("a model whose handler keeps the state of sequences", () => {
  test("requests of one sequence run one after another, those of others beside them", async () => {
    const { model, inner } = setUp();
    const all = [ask(model, "a1", "a"), ask(model, "a2", "a"), ask(model, "b1", "b"), ask(model, "free")];
    assert.deepEqual(inner.running, ["a1", "b1", "free"]);
    assert.equal(model.inFlight(), 4);
    inner.finish("a1");
    await turns();
    assert.deepEqual(inner.running, ["b1", "free", "a2"]);
    for (const id of ["b1", "free", "a2"]) inner.finish(id);
    assert.deepEqual(
      (await Promise.all(all)).map(({ id }) => id),
      ["a1", "a2", "b1", "free"],
    );
    assert.deepEqual([model.inFlight(), model.liveSequences?.()], [0, 2]);
  });

  test("a request that fails does not keep those behind it from the handler", async () => {
    const { model, inner } = setUp();
    const first = ask(model, "a1", "a");
    const second = ask(model, "a2", "a");
    inner.lose("a1");
    await assert.rejects(first, { reason: "model_failed" });
    await turns();
    inner.finish("a2");
    assert.equal((await second).id, "a2");
  });

  test("a client that leaves while it waits is not run", async () => {
    const { model, inner } = setUp();
    const signal = new CallSignal();
    void ask(model, "a1", "a");
    const left = ask(model, "a2", "a", { signal });
    const last = ask(model, "a3", "a");
    signal.abort(new ServeError("cancelled", "the client left"));
    await assert.rejects(left, { code: "cancelled" });
    inner.finish("a1");
    await turns();
    assert.deepEqual(inner.running, ["a3"]);
    inner.finish("a3");
    await last;
    assert.equal(model.inFlight(), 0);
  });

  test("more sequences, and more requests of one, than there may be are refused", async () => {
    const { model, inner } = setUp({ maxWaiting: 1 });
    void ask(model, "a1", "a");
    void ask(model, "a2", "a");
    await assert.rejects(ask(model, "a3", "a"), { code: "unavailable", reason: "queue_full" });
    void ask(model, "b1", "b");
    await assert.rejects(ask(model, "c1", "c"), { reason: "too_many_sequences", message: /maxNumSequence/ });
    void ask(model, "free");
    assert.deepEqual(inner.running, ["a1", "b1", "free"]);
  });

  test("a sequence ends when it was idle, or with the request that says so, once those behind it are answered", async () => {
    const { model, inner, clock } = setUp();
    void ask(model, "a1", "a", { isEnd: true });
    const behind = ask(model, "a2", "a", { isEnd: true });
    inner.finish("a1");
    await turns();
    assert.equal(model.liveSequences?.(), 1);
    inner.finish("a2");
    await behind;
    assert.equal(model.liveSequences?.(), 0);
    const idle = ask(model, "b1", "b");
    clock.advance(5000);
    assert.equal(model.liveSequences?.(), 1);
    inner.finish("b1");
    await idle;
    clock.advance(999);
    assert.equal(model.liveSequences?.(), 1);
    clock.advance(1);
    assert.equal(model.liveSequences?.(), 0);
    assert.equal(clock.pendingTimers, 0);
  });

  test("tenants have sequences of their own", async () => {
    const { model, inner } = setUp();
    void ask(model, "one", "a", { tenant: "x" });
    void ask(model, "two", "a", { tenant: "y" });
    assert.deepEqual(inner.running, ["one", "two"]);
    assert.equal(
      model.holdsSequence?.(requestOf("m", { parameters: new Map([["sequence_id", "a"]]) })),
      false,
    );
  });

  test("it closes when all that was asked is answered, and its sequences end", async () => {
    const { model, inner, clock } = setUp();
    const both = [ask(model, "a1", "a"), ask(model, "a2", "a")];
    const closed = model.close();
    await assert.rejects(ask(model, "a3", "a"), { reason: "draining" });
    inner.finish("a1");
    await turns();
    inner.finish("a2");
    await Promise.all(both);
    await closed;
    assert.deepEqual([inner.closed, model.liveSequences?.(), clock.pendingTimers], [true, 0, 0]);
  });
});
