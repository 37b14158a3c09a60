import { constants, setPriority } from "node:os";
import { hostModel } from "../model-host.ts";
import { WORKER_MODES } from "./worker-modes.ts";

const mode = process.argv[2];

// What is loaded before there is a file need not be waited for then, and is memory meanwhile: the engine 9 MiB, what translates 8.
if (mode !== WORKER_MODES.waiting) {
  const { warmRuntime } = await import("./warm-runtime.ts");
  await warmRuntime();
  await import("./load-model.ts");
  if (mode !== WORKER_MODES.lean) await import("./open-archive.ts");
}
hostModel(
  async (message, progress) => {
    const { loadModel } = await import("./load-model.ts");
    return loadModel(message, progress);
  },
  async (message) => {
    // Nothing waits for it.
    setPriority(constants.priority.PRIORITY_LOW);
    const { optimiseTranslation } = await import("./optimise-translation.ts");
    await optimiseTranslation(message);
  },
);
