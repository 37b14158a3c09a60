import { Agent, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import type { Target } from "./attack.ts";

const PAUSE_MS = 20;

/** A client that asks something small again and again, and remembers the longest that it waited, and whether it was ever not answered. */
export interface Witness {
  stop(): Promise<{ readonly worstMs: number; readonly asked: number; readonly failed: number }>;
}

export function startWitness(target: Target): Witness {
  const agent =
    target.entry === undefined ? new Agent({ keepAlive: true }) : new TlsAgent({ keepAlive: true });
  let isOver = false;
  let [worstMs, asked, failed] = [0, 0, 0];
  const watch = async (): Promise<void> => {
    while (!isOver) {
      const startMs = performance.now();
      const status = await statusOf(target, { agent, path: "/v2/health/live" });
      worstMs = Math.max(worstMs, performance.now() - startMs);
      asked += 1;
      if (status !== 200) failed += 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const watching = watch();
  return {
    async stop() {
      isOver = true;
      await watching;
      agent.destroy();
      return { worstMs, asked, failed };
    },
  };
}

/** What is wrong with the answer to a good request; empty: nothing. */
export async function askInGoodFaith(target: Target): Promise<string> {
  const path = `/v2/models/${target.model}/infer`;
  const status = await statusOf(target, { path, method: "POST", body: target.body });
  return status === 200 ? "" : `a good request was answered with ${status}`;
}

interface Question {
  readonly path: string;
  readonly method?: string;
  readonly body?: string | undefined;
  readonly agent?: Agent;
}

/** 0: no answer. */
async function statusOf(target: Target, question: Question): Promise<number> {
  return (await answerTo(target, question)).status;
}

/** What a client hears who has the key of good faith; the status 0: nothing. */
export function answerTo(
  { port, entry }: Target,
  { path, method = "GET", body, agent }: Question,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const lost = (): void => resolve({ status: 0, text: "" });
    const options = {
      host: "127.0.0.1",
      port,
      path,
      method,
      ...(agent === undefined ? {} : { agent }),
      ...(entry === undefined ? {} : { ca: entry.ca, headers: { authorization: `Bearer ${entry.goodKey}` } }),
    };
    const sent = (entry === undefined ? request : requestTls)(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", lost);
    });
    sent.on("error", lost);
    sent.end(body);
  });
}
