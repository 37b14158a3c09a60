import { createOnnxRuntime, workerEnv } from "../internals/server.ts";
import { FAULT_PLAN_VARIABLE } from "./fault-plan.ts";
import { installFaults } from "./faulty-file-system.ts";
import { runServer } from "./run-server.ts";

const WORKER = new URL("./onnx-worker-main.js", import.meta.url);

/** The real server with ONNX Runtime, whose file system calls can be made to fail, in this process and in its workers. */
const plan = process.env[FAULT_PLAN_VARIABLE]!;
installFaults(plan);
await runServer((parts) =>
  createOnnxRuntime({
    ...parts,
    entry: WORKER,
    env: { ...workerEnv(process.env), [FAULT_PLAN_VARIABLE]: plan },
  }),
);
