import { MODELS_FOLDER } from "../expected-digits.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import type { Target } from "./attack.ts";
import { random } from "./random.ts";

/** The built server with the model of the examples, and a good request to it. */
export async function startDigitsTarget(
  seed: number,
): Promise<{ readonly target: Target; readonly stop: ServerProcess["stop"] }> {
  const server = await startServerProcess([MODELS_FOLDER, "--log-level", "error", "--max-body", "4MiB"]);
  const image = {
    name: "image",
    datatype: "FP32",
    shape: [1, 1, 8, 8],
    data: new Array<number>(64).fill(0.5),
  };
  return {
    target: {
      url: server.url,
      port: Number(new URL(server.url).port),
      pid: server.pid,
      model: "digits",
      body: JSON.stringify({ inputs: [image] }),
      random: random(seed),
    },
    stop: (signal) => server.stop(signal),
  };
}
