import { FAULT_PLAN_VARIABLE } from "./fault-plan.ts";
import { installFaults } from "./faulty-file-system.ts";

installFaults(process.env[FAULT_PLAN_VARIABLE]!);
await import("../../../packages/server/dist/runtime/onnx/worker-main.js");
