import { createCalibratedRuntime } from "../calibrated/calibrated-runtime.ts";
import { runServer } from "./run-server.ts";

/** The real server with the calibrated runtime in ONNX Runtime's place. */
await runServer(createCalibratedRuntime);
