// Tests the built server on a scripted TorchScript model.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

interface Answer {
  readonly image: unknown;
  readonly probabilities: readonly number[][];
}

const SCRIPT = fileURLToPath(new URL("../../scripts/python/script_convnet.py", import.meta.url));

/** Why the only model of a folder is not served. */
async function reasonOf(folder: string): Promise<string> {
  const server = await startServerProcess([folder], { until: "listening" });
  try {
    for (;;) {
      const answer = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
      const [entry] = (await answer.json()) as { state: string; reason?: string }[];
      if (entry?.state === "UNAVAILABLE" && entry.reason !== undefined) return entry.reason;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await server.stop();
  }
}

test("a scripted, frozen model is served with the inputs that its refusal asks for, and answers as PyTorch", {
  timeout: 180_000,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-scripted-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "convnet"));
  const answers = JSON.parse(
    await runPython(python, [SCRIPT, join(folder, "convnet", "model.pt")]),
  ) as Answer[];

  const reason = await reasonOf(folder);
  const asked = /inputs: \{[^}]*\}/.exec(reason)?.[0];
  assert.equal(asked, 'inputs: {image: "float32[batch, 3, 224, 224]"}', reason);
  writeFileSync(join(folder, "convnet", "model.yaml"), `${asked.replaceAll("224", "16")}\n`);

  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  for (const { image, probabilities } of answers) {
    const answer = await fetch(`${server.url}/predict/convnet`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: image }),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    const { prediction } = (await answer.json()) as { prediction: number[][] };
    assert.equal(prediction.length, probabilities.length);
    for (const [row, wanted] of probabilities.entries()) {
      for (const [i, value] of wanted.entries()) {
        assert.ok(
          Math.abs(prediction[row]![i]! - value) <= 1e-5,
          `${prediction[row]![i]} instead of ${value}`,
        );
      }
    }
  }
});
