// Tests the profile of the server process over a real socket.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type RunningServer, startServer } from "../app/start-server.ts";
import { main } from "../cli/main.ts";
import { loadConfig } from "../config/load-config.ts";

const TOKEN = "a-token-that-nobody-guesses";
const folder = mkdtempSync(join(tmpdir(), "sconce-cpu-profile-"));
let server: RunningServer;

function open(...flags: readonly string[]): Promise<RunningServer> {
  const all = new Map<string, string | true>([
    ["--port", "0"],
    ["--spare-workers", "0"],
    ["--model-control", "explicit"],
    ...flags.map((flag): [string, true] => [flag, true]),
  ]);
  return startServer({
    paths: [folder],
    config: loadConfig({ flags: all, env: { SCONCE_ADMIN_TOKEN: TOKEN } }),
  });
}

before(async () => {
  server = await open("--allow-profile");
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function ask(body: string, token = TOKEN, url = server.url): Promise<Response> {
  const headers = {
    "content-type": "application/json",
    ...(token !== "" && { authorization: `Bearer ${token}` }),
  };
  return await fetch(`${url}/v2/profile`, { method: "POST", headers, body });
}

describe("POST /v2/profile", () => {
  test("answers what the server process did meanwhile, to one administrator at a time", async () => {
    const first = ask('{"seconds": 1}');
    // The other one is turned away while the first waits.
    let second: Response;
    do second = await ask('{"seconds": 0.001}');
    while (second.ok);
    assert.equal(second.status, 400);
    assert.equal(((await second.json()) as { reason: string }).reason, "profile_running");
    const answer = await first;
    assert.equal(answer.status, 200);
    checkProfile(await answer.json());
  });

  test("answers nobody else, and nothing but a length within bounds", async () => {
    const reasonOf = async (answer: Response): Promise<string> =>
      ((await answer.json()) as { readonly reason: string }).reason;
    assert.equal(await reasonOf(await ask("", "")), "missing_token");
    assert.equal(await reasonOf(await ask("", "another-one")), "wrong_token");
    for (const seconds of ["0", "-1", "30.5", '"5"', "null,"])
      assert.equal((await ask(`{"seconds": ${seconds}}`)).status, 400, seconds);
  });

  test("ends with the call that asked for it", async () => {
    const gone = new AbortController();
    const left = fetch(`${server.url}/v2/profile`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: '{"seconds": 30}',
      signal: gone.signal,
    });
    // It runs once another one is turned away.
    let other: Response;
    do other = await ask('{"seconds": 0.001}');
    while (other.ok);
    gone.abort();
    await assert.rejects(left);
    do other = await ask('{"seconds": 0.001}');
    while (!other.ok);
    checkProfile(await other.json());
  });

  test("is off unless the operator allows it", async (t) => {
    const closed = await open();
    t.after(() => closed.stop());
    const answer = await ask("", TOKEN, closed.url);
    assert.equal(((await answer.json()) as { reason: string }).reason, "profile_off");
  });

  test("is written to a file by sconce profile --server", async () => {
    const file = join(folder, "server.cpuprofile");
    const printed = { text: "" };
    const write = (text: string): string => (printed.text += text);
    const code = await main(["profile", "--server", server.url, "--seconds", "1", "-o", file], {
      stdout: { write },
      stderr: { write },
      env: { SCONCE_API_KEY: TOKEN },
      readStdin: async () => Buffer.alloc(0),
    });
    assert.equal(code, 0, printed.text);
    checkProfile(JSON.parse(readFileSync(file, "utf8")));
  });
});

/** What Chrome's developer tools ask of a `.cpuprofile`. */
function checkProfile(value: unknown): void {
  const { nodes, startTime, endTime, samples, timeDeltas } = value as {
    readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
    readonly startTime: number;
    readonly endTime: number;
    readonly samples: readonly number[];
    readonly timeDeltas: readonly number[];
  };
  assert.ok(endTime > startTime);
  assert.equal(samples.length, timeDeltas.length);
  const ids = new Set(nodes.map(({ id }) => id));
  assert.ok(samples.every((id) => ids.has(id)));
  assert.ok(nodes.some(({ callFrame }) => callFrame.functionName === "(root)"));
}
