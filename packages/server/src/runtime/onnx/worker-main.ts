import { hostModel } from "../model-host.ts";
import { LEAN } from "./lean-worker.ts";
import { loadModel } from "./load-model.ts";
import { warmRuntime } from "./warm-runtime.ts";

await warmRuntime();
// Before anybody waits for it; without it a worker starts in half the time, and is a third smaller.
if (!process.argv.includes(LEAN)) await import("./open-archive.ts");
hostModel(loadModel);
