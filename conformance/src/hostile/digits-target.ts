import { MODELS_FOLDER } from "../expected-digits.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import type { Target } from "./attack.ts";
import { random } from "./random.ts";

/** What servers under attack are started with. */
export const DIGITS_FLAGS: readonly string[] = ["--log-level", "error", "--max-body", "4MiB"];

const IMAGE = { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array<number>(64).fill(0.5) };
/** A good request to the model of the examples. */
export const DIGITS_BODY: string = JSON.stringify({ inputs: [IMAGE] });

/** The built server with the model of the examples, and a good request to it. */
export async function startDigitsTarget(
  seed: number,
): Promise<{ readonly target: Target; readonly stop: ServerProcess["stop"] }> {
  const server = await startServerProcess([MODELS_FOLDER, ...DIGITS_FLAGS]);
  return {
    target: {
      url: server.url,
      port: Number(new URL(server.url).port),
      pid: server.pid,
      model: "digits",
      body: DIGITS_BODY,
      random: random(seed),
      output: () => server.output(),
    },
    stop: (signal) => server.stop(signal),
  };
}
