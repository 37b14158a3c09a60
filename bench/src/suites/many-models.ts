import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ChildServer, isReady, startChildServer } from "../child-server.ts";
import { digitsBody } from "../digits.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const DIGITS = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));
const MODELS = 1000;
const ASKED = 20;

export const manyModels: Suite = {
  summary: `${MODELS} registered models, loaded at their first request, at most 4 at once`,
  async run(print) {
    const folder = mkdtempSync(join(tmpdir(), "sconce-many-"));
    try {
      for (let i = 0; i < MODELS; i++) copyFileSync(DIGITS, join(folder, `digits-${i}.pt2`));
      const flags = ["--lazy-loading", "--max-loaded-models", "4", "--port", "0", "--log-level", "error"];
      const server = await startChildServer([...SCONCE, "serve", folder, ...flags], isReady);
      try {
        const row = await measure(server);
        print(table([row]));
        return row;
      } finally {
        await server.stop();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(server: ChildServer): Promise<Record<string, number>> {
  const listMs = await medianMs(ASKED, () =>
    fetch(`${server.url}/v2/models`).then((answer) => answer.text()),
  );
  const index = () =>
    fetch(`${server.url}/v2/repository/index`, { method: "POST" }).then((answer) => answer.text());
  const indexMs = await medianMs(ASKED, index);
  let next = 0;
  const firstMs = await medianMs(ASKED, () => predict(server, next++ * 37));
  const warmMs = await medianMs(ASKED, () => predict(server, (ASKED - 1) * 37));
  return {
    "ready ms": server.startMs,
    "front RSS MiB": residentMib(server.pid),
    "list ms": listMs,
    "index ms": indexMs,
    "first request ms": firstMs,
    "warm request ms": warmMs,
  };
}

async function predict(server: ChildServer, index: number): Promise<void> {
  const answer = await fetch(`${server.url}/predict/digits-${index}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: digitsBody().body,
  });
  if (!answer.ok) throw new Error(`digits-${index}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

async function medianMs(times: number, work: () => Promise<unknown>): Promise<number> {
  const elapsed: number[] = [];
  for (let i = 0; i < times; i++) {
    const startedMs = performance.now();
    await work();
    elapsed.push(performance.now() - startedMs);
  }
  return elapsed.sort((a, b) => a - b)[times >> 1]!;
}

/** Resident memory of a process on Linux; NaN elsewhere. */
function residentMib(pid: number): number {
  try {
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib) / 1024;
  } catch {
    return Number.NaN;
  }
}
