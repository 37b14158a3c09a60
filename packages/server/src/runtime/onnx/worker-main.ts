import { hostModel } from "../model-host.ts";
import { loadModel } from "./load-model.ts";
import { warmRuntime } from "./warm-runtime.ts";

await warmRuntime();
hostModel(loadModel);
