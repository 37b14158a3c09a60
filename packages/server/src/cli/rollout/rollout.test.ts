import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { runCommand } from "../command.kit.ts";
import { rolloutCommand } from "./rollout.ts";

const asked: { method: string; url: string; authorization: string | undefined; body: string }[] = [];
const DOCUMENT = {
  name: "digits",
  state: "canary",
  share: 0.05,
  step: 0,
  paused: true,
  steps: [0.05, 0.25],
  stable: { version: "1", requests: 120, failed: 0, p95_ms: 3.2 },
  candidate: { version: "2", requests: 6, failed: 1 },
  compared: { equal: 4, differing: 1, failed: 0 },
};
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { method = "", url = "", headers } = request;
  asked.push({ method, url, authorization: headers.authorization, body });
  response.statusCode = url.includes("odd") ? 400 : 200;
  response.end(JSON.stringify(url.includes("odd") ? { error: "there is no rollout" } : DOCUMENT));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
after(() => server.close());

test("a rollout is shown with its step and the figures of both versions", async () => {
  const { code, stdout } = await runCommand(rolloutCommand, "digits", "--url", url);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    [
      "digits: canary, 5% of the requests (step 1 of 2), paused",
      "  stable     version 1: 120 requests, 0 failed, p95 3.2 ms",
      "  candidate  version 2: 6 requests, 1 failed",
      "  compared   4 equal, 1 differing, 0 failed",
      "",
    ].join("\n"),
  );
  assert.equal(asked.at(-1)!.method, "GET");
});

test("what is asked for is sent as the server takes it", async () => {
  const steps = ["--version", "2", "--share", "10%, 50%", "--window", "5m", "--min-requests", "50"];
  await runCommand(rolloutCommand, "a/b", "start", "--url", url, ...steps);
  const { method, url: path, body } = asked.at(-1)!;
  assert.deepEqual([method, path], ["POST", "/v2/repository/models/a%2Fb/rollout"]);
  assert.deepEqual(JSON.parse(body), {
    parameters: { action: "start", version: "2", share: "10%, 50%", window: "5m", min_requests: 50 },
  });
  await runCommand(rolloutCommand, "digits", "advance", "--share", "60%", "--url", url);
  assert.deepEqual(JSON.parse(asked.at(-1)!.body), { parameters: { action: "advance", share: "60%" } });
});

test("what the server refuses is said in its words, and what means nothing is not sent", async () => {
  await assert.rejects(runCommand(rolloutCommand, "odd", "abort", "--url", url), {
    message: "the server answered 400: there is no rollout",
  });
  const before = asked.length;
  for (const [args, message] of [
    [["digits", "abrot"], /did you mean abort\?/],
    [["digits", "start"], /--version: which version/],
    [["digits", "pause", "--share", "5%"], /--share means nothing to pause/],
    [["digits", "--min-requests", "5"], /--min-requests is for start/],
    [[], /expected the name of a model/],
  ] as const)
    await assert.rejects(runCommand(rolloutCommand, ...args, "--url", url), { message });
  assert.equal(asked.length, before);
});
