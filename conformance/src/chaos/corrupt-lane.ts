import { corruptModel } from "./corrupt-model.ts";
import { askDigits } from "./digits-probe.ts";
import { monotonicMs, until } from "./monotonic.ts";
import type { Rig } from "./procedure.ts";
import { createRandom } from "./random.ts";
import { type IndexLine, repositoryIndex, UNHELPFUL } from "./repository-client.ts";

export const LOAD_LIMIT_MS = 60_000;
/** Two looks at the disk, and the turn in the queue of loads. */
const QUEUE_MS = 30_000;
const LOOK_MS = 25;
/** What an operator can do about it. */
const ADVICE =
  /\b(?:copy|export|serve|save|join|put|raise|rename|give|keep|leave|expected|missing|unknown key|worker died)\b/;
/** A worker that was not killed ended by an exception of ours. */
const OWN_FAULT = /exited with code/;

/** What became of one corrupt file. */
export interface CorruptLoad {
  /** From its seed alone the file can be made again. */
  readonly seed: number;
  readonly how: string;
  readonly outcome: "loaded" | "refused" | "worker died" | "no end";
  readonly elapsedMs: number;
  /** What was not as it should be; empty: nothing. */
  readonly problem: string;
}

/** Puts one corrupt file beside the version that serves, waits for the verdict, and takes it away again. */
export async function loadCorrupt(rig: Rig, model: string, seed: number): Promise<CorruptLoad> {
  const { files, how } = corruptModel(createRandom(seed));
  const startMs = monotonicMs();
  rig.folder.publishFiles(model, 2, files);
  const line = await verdict(rig.server.url, model);
  const elapsedMs = monotonicMs() - startMs;
  const outcome = outcomeOf(line);
  const problems: string[] = [];
  if (line?.state === "READY") {
    // Its answers are its own affair; that there is one is not.
    const answer = await askDigits(rig.server.url, `${model}/versions/2`);
    if (answer.status === 0) problems.push(`asked: ${answer.detail}`);
  } else {
    const answer = await askDigits(rig.server.url, model);
    if (!answer.isRight || answer.version !== 1) {
      problems.push(`then version ${answer.version} answered: ${answer.status} ${answer.detail}`);
    }
    const reason = line?.reason ?? "";
    if (UNHELPFUL.test(reason) || OWN_FAULT.test(reason) || !ADVICE.test(reason)) {
      problems.push(`the index says: ${reason}`);
    }
  }
  rig.folder.retire(model, 2);
  const isGone = await until(async () => (await lineOf(rig.server.url, model)) === undefined, {
    withinMs: QUEUE_MS,
    everyMs: LOOK_MS,
  });
  if (!isGone) problems.push("it never went away");
  const problem = problems.length === 0 ? "" : `seed ${seed} (${how}): ${problems.join("; ")}`;
  return { seed, how, outcome, elapsedMs, problem };
}

function outcomeOf(line: IndexLine | undefined): CorruptLoad["outcome"] {
  if (line === undefined) return "no end";
  if (line.state === "READY") return "loaded";
  return /the worker died/.test(line.reason) ? "worker died" : "refused";
}

/** The index' line of the corrupt version, once it is loaded or refused; undefined: never. */
async function verdict(url: string, model: string): Promise<IndexLine | undefined> {
  let line: IndexLine | undefined;
  const isDone = await until(
    async () => {
      line = await lineOf(url, model);
      return line !== undefined && line.state !== "LOADING" && line.reason !== "not loaded yet";
    },
    { withinMs: LOAD_LIMIT_MS + QUEUE_MS, everyMs: LOOK_MS },
  );
  return isDone ? line : undefined;
}

async function lineOf(url: string, model: string): Promise<IndexLine | undefined> {
  return (await repositoryIndex(url)).find(({ name, version }) => name === model && version === "2");
}
