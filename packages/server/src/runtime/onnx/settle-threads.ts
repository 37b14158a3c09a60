import type { Tensor } from "../../base/tensor.ts";
import { OnnxSession } from "./onnx-session.ts";
import type { OpenedModel } from "./opened-model.ts";

/** A run that is over this soon may be over before a second thread has woken up. */
const SHORT_RUN_MS = 0.5;
/** A run that takes so long was not merely disturbed: it is not worth trying again. */
const LONG_RUN_MS = 2;
/** More threads must gain this much to be worth cores that others could use. */
const WORTHWHILE_GAIN = 1.2;
const TIMED_RUNS = 5;

/** A session that was warmed up with several threads, and what to try it on. */
interface Trial {
  readonly session: OnnxSession;
  readonly opened: Pick<OpenedModel, "reopen" | "signature" | "outputNames">;
  readonly inputs: readonly Tensor[];
  readonly nowMs: () => number;
}

/**
 * The session to run a model with: the one given, or, where one thread is about as fast, one with a single thread. Only short runs are
 * looked at, so that it takes a few milliseconds. The session that is not returned is released.
 */
export async function settleThreads({ session, opened, inputs, nowMs }: Trial): Promise<OnnxSession> {
  const manyMs = await bestMs(session, inputs, nowMs);
  if (manyMs > SHORT_RUN_MS) return session;
  const single = new OnnxSession(await opened.reopen(1), opened);
  await single.run(inputs);
  const isEnough = (await bestMs(single, inputs, nowMs)) <= WORTHWHILE_GAIN * manyMs;
  await (isEnough ? session : single).release();
  return isEnough ? single : session;
}

async function bestMs(session: OnnxSession, inputs: readonly Tensor[], nowMs: () => number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TIMED_RUNS; i++) {
    const startMs = nowMs();
    await session.run(inputs);
    best = Math.min(best, nowMs() - startMs);
    if (best > LONG_RUN_MS) break;
  }
  return best;
}
