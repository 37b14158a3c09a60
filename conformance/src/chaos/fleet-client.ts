import { once } from "node:events";
import { startPinned } from "./pinned-process.ts";

/** Clients of a fleet, in a process of their own. */
export interface ClientPlan {
  readonly seed: number;
  /** `host:port` of the proxy. */
  readonly authority: string;
  /** PEM. */
  readonly ca: string;
  readonly perSecond: number;
  readonly models: readonly string[];
  /** How many different rows are asked, over and over. */
  readonly rows: number;
  /** After so long an answer is given up. */
  readonly patienceMs: number;
}

/** One request, with its second try if it had one. */
export interface Exchange {
  readonly protocol: "rest" | "grpc";
  readonly model: string;
  /** Monotonic. */
  readonly sentMs: number;
  readonly doneMs: number;
  /** Of the last try. */
  readonly triedMs: number;
  /** How much later than meant it was sent: the clients had no processor. */
  readonly lateMs: number;
  /** What the first try failed with; empty: it did not. */
  readonly retried: string;
  /** What the last try failed with; empty: it did not. */
  readonly failed: string;
  readonly isRight: boolean;
  readonly version: string;
  readonly tag: number;
  /** Which server says the proxy that it was; over REST. */
  readonly servedBy: string;
}

export interface FleetClient {
  /** What was answered since the last time, in the order of answers. */
  take(): Promise<readonly Exchange[]>;
  /** A page of one of the servers, as seen from here. */
  read(url: string): Promise<string>;
  /** Ends when everything is answered. */
  stop(): Promise<readonly Exchange[]>;
  kill(): void;
}

export type Question = { readonly ask: "take" | "stop" } | { readonly ask: "read"; readonly url: string };

/** Starts them behind `enter` (see `Host`). */
export function startFleetClient(plan: ClientPlan, enter: readonly string[]): FleetClient {
  const child = startPinned("./fleet-client-main.js", [], { enter });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`the clients ended with code ${code}:\n${said}`);
  });
  ended.catch(() => {});
  child.send(plan);
  // One question at a time.
  let last: Promise<unknown> = Promise.resolve();
  const ask = <T>(question: Question): Promise<T> => {
    const answer = last.then(async () => {
      const answered = once(child, "message");
      child.send(question);
      const [message] = (await Promise.race([answered, ended])) as [T];
      return message;
    });
    last = answer.catch(() => {});
    return answer;
  };
  return {
    take: () => ask({ ask: "take" }),
    read: (url) => ask({ ask: "read", url }),
    async stop() {
      const exchanges = await ask<readonly Exchange[]>({ ask: "stop" });
      child.disconnect();
      await ended.catch(() => {});
      return exchanges;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
