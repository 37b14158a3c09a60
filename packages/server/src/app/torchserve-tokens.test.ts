// Tests TorchServe's tokens on a server: which port takes which, renewal, and the file.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../config/load-config.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const MODELS = fileURLToPath(new URL("../../../../examples/models", import.meta.url));
const REFUSED = {
  code: 400,
  type: "InvalidKeyException",
  message: "Token Authorization failed. Token either incorrect, expired, or not provided correctly",
};
const folder = mkdtempSync(join(tmpdir(), "tokens-"));
const file = join(folder, "key_file.json");
let server: RunningServer;

before(async () => {
  server = await start();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<RunningServer> {
  const flags = new Map([
    ["--port", "0"],
    ["--compat", "torchserve"],
    ["--model-control", "explicit"],
    ["--load-models", "digits"],
    ["--torchserve-tokens", file],
  ]);
  const running = await startServer({ paths: [MODELS], config: loadConfig({ flags }) });
  await running.settled;
  return running;
}

interface Keys {
  readonly management: string;
  readonly inference: string;
  readonly API: string;
}

function keys(): Keys {
  const said = JSON.parse(readFileSync(file, "utf8")) as Record<keyof Keys, { readonly key: string }>;
  return { management: said.management.key, inference: said.inference.key, API: said.API.key };
}

type Port = "inference" | "management" | "metrics";

async function ask(
  port: Port,
  path: string,
  key?: string,
  method = "GET",
): Promise<readonly [number, string]> {
  const base = port === "inference" ? server.url : `http://${server.torchserve![port]}`;
  const response = await fetch(base + path, {
    method,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  });
  return [response.status, await response.text()];
}

const statusOf = async (...asked: Parameters<typeof ask>): Promise<number> => (await ask(...asked))[0];

test("each token is for its own ports, and nothing else comes in", async () => {
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { management, inference, API } = keys();
  assert.equal(await statusOf("inference", "/v2/models/digits", inference), 200);
  assert.equal(await statusOf("management", "/models", management), 200);
  assert.equal(await statusOf("management", "/models/digits", management), 200);
  for (const key of [undefined, "made-up-key", management, API]) {
    const [status, body] = await ask("inference", "/predictions/digits", key, "POST");
    assert.deepEqual([status, JSON.parse(body)], [400, REFUSED], key);
  }
  for (const [method, path] of [
    ["GET", "/models"],
    ["GET", "/models/digits"],
    ["POST", "/models?url=digits.mar"],
    ["DELETE", "/models/digits"],
  ] as const)
    for (const key of [undefined, inference, API]) {
      const [status, body] = await ask("management", path, key, method);
      assert.deepEqual([status, JSON.parse(body)], [400, REFUSED], `${method} ${path}`);
    }
});

test("probes, metrics and descriptions need none", async () => {
  assert.equal(await statusOf("inference", "/ping"), 200);
  assert.equal(await statusOf("metrics", "/metrics"), 200);
  assert.equal(await statusOf("management", "/", undefined, "OPTIONS"), 200);
  assert.equal(
    await statusOf("inference", "/metrics"),
    401,
    "the port of models says nothing of them to strangers",
  );
});

test("the API key renews a token: the old one is worth nothing at once", async () => {
  const old = keys();
  assert.deepEqual(await ask("management", "/token?type=inference", old.API), [200, "\n"]);
  const { management, inference, API } = keys();
  assert.deepEqual([management, API], [old.management, old.API]);
  assert.notEqual(inference, old.inference);
  assert.equal(await statusOf("inference", "/v2/models/digits", old.inference), 401);
  assert.equal(await statusOf("inference", "/v2/models/digits", inference), 200);
  for (const [query, key] of [
    ["?type=inference", undefined],
    ["?type=inference", management],
    ["?type=other", API],
    ["", API],
  ] as const) {
    const [status, body] = await ask("management", `/token${query}`, key);
    assert.equal(status, 400);
    assert.match(body, /"message": "Token Authentication failed\. /);
  }
  assert.deepEqual(keys(), { management, inference, API });
});

test("a file that somebody replaced is read again", async () => {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(keys().inference, "another-key"));
  await server.reload();
  assert.equal(await statusOf("inference", "/v2/models/digits", "another-key"), 200);
});

test("a file that everybody may write, or that is too long, lets nobody in, and the tokens before stay", {
  skip: process.platform === "win32",
}, async () => {
  const text = readFileSync(file, "utf8");
  const { inference } = keys();
  const stays = async (): Promise<void> => {
    await server.reload();
    assert.equal(await statusOf("inference", "/v2/models/digits", inference), 200);
    assert.notEqual(await statusOf("inference", "/v2/models/digits", "anybodys-key"), 200);
  };
  writeFileSync(file, text.replace(inference, "anybodys-key"));
  chmodSync(file, 0o666);
  await stays();
  chmodSync(file, 0o600);
  writeFileSync(file, text.replace(inference, "anybodys-key") + " ".repeat(64 * 1024));
  await stays();
  rmSync(file);
  symlinkSync("/dev/zero", file);
  await stays();
  rmSync(file);
  writeFileSync(file, text, { mode: 0o600 });
});

test("a restart keeps tokens that are good, and renews those that have expired", async () => {
  await server.stop();
  const old = keys();
  const text = readFileSync(file, "utf8");
  const expired = text.replace(/("inference"[^}]*"expiration time": )"[^"]*"/, '$1"2026-01-01T00:00:00Z"');
  assert.notEqual(expired, text);
  writeFileSync(file, expired);
  server = await start();
  const { management, inference } = keys();
  assert.equal(management, old.management);
  assert.notEqual(inference, old.inference);
});
