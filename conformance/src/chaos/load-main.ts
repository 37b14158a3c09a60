import type { LoadPlan } from "./load-plan.ts";
import { OpenLoop } from "./open-loop.ts";

/**
 * The load generator as a process of its own: a plan comes in as a message, how many requests are in flight goes out every now and then,
 * and the result at last; `stop` ends it early.
 */
const PROGRESS_MS = 20;

// grpc-js writes the caller's stack into every error: a tenth of the generator's time when a server refuses nine requests in ten.
Error.stackTraceLimit = 0;

let loop: OpenLoop | undefined;

process.on("message", (message: LoadPlan | "stop") => {
  if (message === "stop") {
    loop?.stop();
    process.send?.("stopped");
    return;
  }
  const running = new OpenLoop(message);
  loop = running;
  const timer = setInterval(() => process.send?.(running.inFlight), PROGRESS_MS);
  running.run().then(
    (result) => {
      clearInterval(timer);
      process.send?.(result, () => process.exit(0));
    },
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(1));
