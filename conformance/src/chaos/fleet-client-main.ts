import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, get, request } from "node:https";
import { type InteropClient, interopClient } from "../interop/interop-client.kit.ts";
import type { ClientPlan, Exchange, Question } from "./fleet-client.ts";
import { monotonicMs, sleep } from "./monotonic.ts";
import { createRandom, type Random } from "./random.ts";
import { makeRow, ROW_BYTES } from "./row.ts";

/**
 * Clients that may try once more: requests come at random times over REST and gRPC, and whatever fails in a way that asks for it is sent a second time, a
 * moment later. A plan comes in as a message, then questions.
 */
const CONNECTIONS = 32;
/** Long enough for a proxy to look elsewhere. */
const RETRY_MS = [100, 300] as const;
const STATUSES = new Set([502, 503, 504]);
const UNAVAILABLE = 14;

interface Answer {
  readonly version: string;
  readonly y: Uint8Array;
  readonly tag: number;
  readonly servedBy: string;
}

/** Why there is no answer, and whether asking again may help. */
class NoAnswer extends Error {
  readonly mayRetry: boolean;

  constructor(message: string, mayRetry: boolean) {
    super(message);
    this.mayRetry = mayRetry;
  }
}

class Clients {
  readonly #plan: ClientPlan;
  readonly #random: Random;
  readonly #agent: Agent;
  readonly #rpc: InteropClient;
  readonly #rows: readonly Uint8Array[];
  readonly #open = new Set<Promise<void>>();
  #done: Exchange[] = [];
  #isOver = false;

  constructor(plan: ClientPlan) {
    this.#plan = plan;
    this.#random = createRandom(plan.seed);
    this.#agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ca: plan.ca });
    this.#rpc = interopClient(plan.authority, {}, Buffer.from(plan.ca));
    this.#rows = Array.from({ length: plan.rows }, (_, sequence) =>
      makeRow({ stream: 1, sequence }, this.#random),
    );
  }

  async run(): Promise<void> {
    let nextMs = monotonicMs();
    while (!this.#isOver) {
      const waitMs = nextMs - monotonicMs();
      if (waitMs > 0) await sleep(waitMs);
      const settled: Promise<void> = this.#exchange(nextMs).finally(() => this.#open.delete(settled));
      this.#open.add(settled);
      nextMs += this.#random.pauseMs(this.#plan.perSecond);
    }
  }

  take(): Exchange[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  async stop(): Promise<Exchange[]> {
    this.#isOver = true;
    while (this.#open.size > 0) await Promise.all(this.#open);
    this.#agent.destroy();
    this.#rpc.close();
    return this.take();
  }

  async #exchange(meantMs: number): Promise<void> {
    const protocol = this.#random.pick(["rest", "rest", "grpc"] as const);
    const model = this.#random.pick(this.#plan.models);
    const row = this.#random.pick(this.#rows);
    const sentMs = monotonicMs();
    const attempt = (): Promise<Answer> =>
      protocol === "rest" ? this.#askRest(model, row) : this.#askGrpc(model, row);
    let [triedMs, retried, failed] = [sentMs, "", ""];
    let answer: Answer | undefined;
    try {
      answer = await attempt().catch(async (error: NoAnswer) => {
        if (!error.mayRetry) throw error;
        retried = error.message;
        await sleep(this.#random.integer(...RETRY_MS));
        triedMs = monotonicMs();
        return attempt();
      });
    } catch (error) {
      failed = (error as Error).message;
    }
    this.#done.push({
      ...{ protocol, model, sentMs, doneMs: monotonicMs(), triedMs, retried, failed },
      lateMs: sentMs - meantMs,
      isRight: answer !== undefined && Buffer.compare(answer.y, row) === 0,
      version: answer?.version ?? "",
      tag: answer?.tag ?? -1,
      servedBy: answer?.servedBy ?? "",
    });
  }

  #askRest(model: string, row: Uint8Array): Promise<Answer> {
    const input = { name: "x", datatype: "UINT8", shape: [1, ROW_BYTES], data: [...row] };
    return new Promise((resolve, reject) => {
      const call = request(
        `https://${this.#plan.authority}/v2/models/${model}/infer`,
        { method: "POST", agent: this.#agent, signal: AbortSignal.timeout(this.#plan.patienceMs) },
        (response) => void restAnswer(response).then(resolve, reject),
      );
      call.on("error", (error) => reject(new NoAnswer(error.message, true)));
      call.end(JSON.stringify({ inputs: [input] }));
    });
  }

  async #askGrpc(modelName: string, row: Uint8Array): Promise<Answer> {
    const input = { name: "x", datatype: "UINT8", shape: [1, ROW_BYTES] };
    const message = { modelName, inputs: [input], rawInputContents: [Buffer.from(row)] };
    const options = { deadline: Date.now() + this.#plan.patienceMs };
    const { answers, status } = await this.#rpc.call("ModelInfer", [message], { options });
    if (status.code !== 0)
      throw new NoAnswer(`gRPC ${status.code} ${status.details}`, status.code === UNAVAILABLE);
    const { modelVersion, rawOutputContents } = answers[0] as unknown as {
      readonly modelVersion: string;
      readonly rawOutputContents: readonly [Buffer, Buffer];
    };
    const [y, tag] = rawOutputContents;
    return { version: modelVersion, y, tag: Number(tag.readBigInt64LE()), servedBy: "" };
  }
}

/** Throws NoAnswer. */
async function restAnswer(response: IncomingMessage): Promise<Answer> {
  const text = await textOf(response).catch((error: Error) => {
    throw new NoAnswer(error.message, true);
  });
  const { statusCode = 0, headers } = response;
  if (statusCode !== 200) throw new NoAnswer(`${statusCode} ${text.slice(0, 120)}`, STATUSES.has(statusCode));
  const { model_version: version, outputs } = JSON.parse(text);
  const servedBy = String(headers["x-served-by"]);
  return { version, y: Uint8Array.from(outputs[0].data), tag: outputs[1].data[0], servedBy };
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function read(url: string, ca: string): Promise<string> {
  const call = get(url, { ca, agent: false });
  const [response] = await once(call, "response");
  return textOf(response);
}

let clients: Clients | undefined;
let ca = "";

process.on("message", async (message: ClientPlan | Question) => {
  if (!("ask" in message)) {
    ca = message.ca;
    clients = new Clients(message);
    await clients.run();
  } else if (message.ask === "take") process.send?.(clients!.take());
  else if (message.ask === "read")
    process.send?.(await read(message.url, ca).catch((error: Error) => error.message));
  else process.send?.(await clients!.stop());
});
process.on("disconnect", () => process.exit(0));
