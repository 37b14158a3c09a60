import type { ServerOptions } from "../app/complete-options.ts";
import { createBothRuntimes } from "../app/create-both-runtimes.ts";
import { type RunningServer, startServer } from "../app/start-server.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { undoneAtEnd } from "./undone-at-end.ts";

/** `startServer` for a command that serves something for itself: whatever ends the command ends the server's workers. */
export async function startOwnServer(options: ServerOptions): Promise<RunningServer> {
  const { createRuntime = createBothRuntimes } = options;
  let runtime: Runtime | undefined;
  const forget = undoneAtEnd(() => runtime?.destroy("the command was ended"));
  try {
    const running = await startServer({
      ...options,
      createRuntime(parts) {
        runtime = createRuntime(parts);
        return runtime;
      },
    });
    return { ...running, stop: () => running.stop().finally(forget) };
  } catch (error) {
    forget();
    throw error;
  }
}
