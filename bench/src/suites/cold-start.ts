import { fileURLToPath } from "node:url";
import { startChildServer } from "../child-server.ts";
import { digitsBody } from "../digits.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const ROUNDS = 7;

async function firstCorrectAnswer(url: string): Promise<boolean> {
  const { body, label } = digitsBody();
  try {
    const answer = await fetch(`${url}/predict/digits`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    if (!answer.ok) return false;
    const { prediction } = (await answer.json()) as { prediction: number[] };
    return prediction.indexOf(Math.max(...prediction)) === label;
  } catch {
    return false;
  }
}

export const coldStart: Suite = {
  summary: "process start to the first correct prediction of digits.pt2 (goal: under 1 s)",
  async run(print) {
    const startsMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const server = await startChildServer(
        [...SCONCE, "serve", MODELS, "--port", "0", "--log-level", "error"],
        firstCorrectAnswer,
      );
      startsMs.push(server.startMs);
      await server.stop();
    }
    startsMs.sort((a, b) => a - b);
    const row = {
      rounds: ROUNDS,
      "min ms": startsMs[0]!,
      "median ms": startsMs[ROUNDS >> 1]!,
      "max ms": startsMs.at(-1)!,
    };
    print(table([row]));
    return { startsMs };
  },
};
