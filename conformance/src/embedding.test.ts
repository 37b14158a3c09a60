// Tests the package `sconce` as a library: servers inside another program.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig, startServer } from "sconce";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";

test("a program embeds the server: two servers in one process, each with its own port, both end", async () => {
  const config = loadConfig({ flags: new Map([["--port", "0"]]) });
  const start = () => startServer({ config, paths: [MODELS_FOLDER] });
  const servers = await Promise.all([start(), start()]);
  try {
    const digit = expectedDigits().digits[0]!;
    for (const server of servers) {
      await server.settled;
      const answer = await fetch(`${server.url}/predict/digits`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: nestedImage(digit) }),
      });
      const { prediction } = (await answer.json()) as { prediction: number[] };
      assert.equal(argmax(prediction), digit.label);
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  await assert.rejects(fetch(`${servers[0]!.url}/v2/health/live`));
});
