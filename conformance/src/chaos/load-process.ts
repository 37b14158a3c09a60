import { once } from "node:events";
import { deferred } from "../internals/server.ts";
import type { LoadPlan, LoadResult } from "./load-plan.ts";
import { startPinned } from "./pinned-process.ts";

/** A load that runs in a process of its own. */
export interface RunningLoad {
  readonly result: Promise<LoadResult>;
  /** Requests on their way, as last reported. */
  inFlight(): number;
  /** No new requests, those on their way are still answered; resolves when the generator has heard of it. */
  stop(): Promise<void>;
}

/** Room for short-lived objects: the generator must not stop to collect them while it measures how long others take. */
const NODE_FLAGS = ["--max-semi-space-size=128"];

export function startLoad(plan: LoadPlan, options: { readonly core?: number | undefined }): RunningLoad {
  const child = startPinned("./load-main.js", [], { ...options, nodeFlags: NODE_FLAGS });
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  child.send(plan);
  let inFlight = 0;
  const stopped = deferred<void>();
  const answered = new Promise<LoadResult>((resolve) => {
    child.on("message", (message: number | "stopped" | LoadResult) => {
      if (typeof message === "number") inFlight = message;
      else if (message === "stopped") stopped.resolve();
      else resolve(message);
    });
  });
  const ended = once(child, "exit").then(([code]): never => {
    throw new Error(`the load generator ended with code ${code}:\n${output}`);
  });
  return {
    result: Promise.race([answered, ended]),
    inFlight: () => inFlight,
    stop() {
      if (child.connected) child.send("stop");
      else stopped.resolve();
      return stopped.promise;
    },
  };
}
