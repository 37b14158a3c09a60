import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { systemClock } from "../../base/clock.ts";

const TRIES = 9;
const LIMIT_MS = 5000;
/** Asks nothing of a model, and is answered whoever asks. */
const PATH = "/v2/health/live";

/**
 * How much longer a request takes over a connection that is opened for it, with its TLS handshake, than over one that is kept: of a few, medians, in
 * milliseconds, at least 0. Undefined: nobody answered.
 */
export async function timeConnections(origin: string): Promise<number | undefined> {
  const { Agent } = origin.startsWith("https:") ? https : http;
  // Whom it speaks to does not matter: nothing is said.
  const open = { rejectUnauthorized: false };
  const kept = new Agent({ ...open, keepAlive: true });
  const fresh = new Agent({ ...open, keepAlive: false });
  try {
    await timeOne(origin, kept);
    const [own, shared]: [number[], number[]] = [[], []];
    // In turn, so that what else the machine does meets both.
    for (let i = 0; i < TRIES; i++) {
      own.push(await timeOne(origin, fresh));
      shared.push(await timeOne(origin, kept));
    }
    return Math.max(0, middle(own) - middle(shared));
  } catch {
    return undefined;
  } finally {
    kept.destroy();
    fresh.destroy();
  }
}

/** Milliseconds until an answer is there. Throws when there is none in time. */
async function timeOne(origin: string, agent: http.Agent): Promise<number> {
  const startMs = systemClock.nowMs();
  const { get } = origin.startsWith("https:") ? https : http;
  const request = get(origin + PATH, { agent, timeout: LIMIT_MS });
  request.once("timeout", () => request.destroy(new Error("no answer")));
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  await once(answer.resume(), "end");
  return systemClock.nowMs() - startMs;
}

function middle(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
