import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { listen, send } from "../rest-sockets.kit.ts";

const BATCH = { symbol: "batch", min: 0, max: 8 };
const PAIR = identity("INT64", [BATCH, 2]);
const { port } = await listen(
  memoryInference({
    digits: identity("FP32", [BATCH, 1, 2, 2]),
    picture: identity("UINT8", [BATCH, 3, 64, 64]),
    wide: identity("FP32", [BATCH, 1000]),
    odd: { ...PAIR, inputs: ["it's; $(id)", "b"].map((name) => ({ ...PAIR.inputs[0]!, name })) },
  }),
);

/** The lines of the page, as a browser shows them. */
async function linesOfPage(): Promise<string[]> {
  const headers = { host: `127.0.0.1:${port}`, accept: "text/html" };
  const { body } = await send(port, { method: "GET", url: "/", headers });
  return [...body.toString().matchAll(/<pre tabindex="0"><code>(.*?)<\/code><\/pre>/g)].map(([, line]) =>
    line!
      .replaceAll("&quot;", '"')
      .replaceAll("&#39;", "'")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">")
      .replaceAll("&amp;", "&"),
  );
}

test("every line of the page works in a shell as it stands, whatever the inputs' names and however large its inputs", async () => {
  const lines = await linesOfPage();
  assert.equal(lines.length, 4);
  for (const line of lines) {
    const { stdout } = await promisify(execFile)("sh", ["-c", line.replace(/\bcurl /, "curl -s ")]);
    const answer = JSON.parse(stdout) as { prediction?: unknown; outputs?: unknown; error?: string };
    assert.ok(answer.prediction !== undefined || answer.outputs !== undefined, `${line}\n${stdout}`);
  }
});
