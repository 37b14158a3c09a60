import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createApiKeys, readKeyFile } from "../gate/api-keys.ts";
import { main } from "./main.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-keys-"));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, "keys.json");

async function run(
  ...argv: string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ["", ""];
  const code = await main(["keys", ...argv], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { SCONCE_API_KEYS: file },
    readStdin: async () => Buffer.alloc(0),
  });
  return { code, out, err };
}

test("a key is shown once; the file has its hash, and is for its owner alone", async () => {
  const { code, out, err } = await run(
    "add",
    "--name",
    "ci",
    "--models",
    "res*,digits",
    "--scope",
    "infer,metrics",
  );
  assert.equal(code, 0);
  const key = out.trim();
  assert.match(key, /^sconce_\w{12}_[\w-]{43}$/);
  assert.match(err, /only time/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, "utf8");
  assert.ok(!text.includes(key.slice(20)));
  const caller = createApiKeys(readKeyFile(text)).find(key)!;
  assert.deepEqual([...caller.scopes], ["infer", "metrics"]);
  assert.ok(caller.models!.includes("resnet") && !caller.models!.includes("other"));
});

test("keys are listed without hashes, and removed by name", async () => {
  await run("add", "--name", "mobile", "--rate", "100/s", "--expires", "90d");
  const { out } = await run("list");
  assert.match(out, /^NAME .*\nci .*\nmobile +infer +\* +100\/s +20\d\d-/);
  const listed = JSON.parse((await run("list", "--json")).out) as object[];
  assert.ok(listed.length === 2 && !JSON.stringify(listed).includes("sha256"));
  assert.equal((await run("remove", "--name", "ci")).code, 0);
  assert.doesNotMatch((await run("list")).out, /^ci /m);
});

test("what cannot be done is said, and changes nothing", async () => {
  const before = readFileSync(file, "utf8");
  for (const [argv, words] of [
    [["add", "--name", "mobile"], /there is a key mobile already/],
    [["add", "--name", "a b"], /--name: expected/],
    [["add"], /--name NAME is missing/],
    [["add", "--name", "x", "--scope", "root"], /--scope: expected infer, metrics, admin/],
    [["add", "--name", "x", "--models", "a/b"], /models: expected/],
    [["add", "--name", "x", "--rate", "fast"], /rate: expected/],
    [["add", "--name", "x", "--expires", "soon"], /--expires: expected/],
    [["remove", "--name", "nobody"], /there is no key nobody/],
    [["rename"], /expected one of add, list, remove and usage/],
  ] as const) {
    const { code, err } = await run(...argv);
    assert.equal(code, 2, argv.join(" "));
    assert.match(err, words);
  }
  assert.equal(readFileSync(file, "utf8"), before);
  assert.deepEqual(readdirSync(folder), ["keys.json"]);
  writeFileSync(file, "not JSON");
  assert.match((await run("list")).err, /it is not JSON/);
});

test("what keys asked is shown by a running server, to its administrator", async (t) => {
  const rate = { per_second: 100, burst: 100 };
  const tenants = [
    { tenant: "key:ci", requests: 120, rejected: 3, rate, available: 97 },
    { tenant: "", requests: 7, rejected: 0 },
  ];
  const server = createServer((request, response) => {
    const isKnown = request.url === "/v2/tenants" && request.headers.authorization === "Bearer admin";
    response.statusCode = isKnown ? 200 : 401;
    response.end(JSON.stringify(isKnown ? { tenants } : { error: "this needs a key" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const token = join(folder, "token");
  writeFileSync(token, "admin\n");
  const { code, out } = await run("usage", "--url", url, "--api-key-file", token);
  assert.equal(code, 0);
  assert.match(
    out,
    /^TENANT +REQUESTS +REJECTED +RATE +LEFT NOW\nkey:ci +120 +3 +100\/s +97\n\(none\) +7 +0 +- +-\n$/,
  );
  const refused = await run("usage", "--url", url);
  assert.deepEqual(
    [refused.code, refused.err],
    [
      1,
      "sconce keys: the server answered 401: this needs a key; put it into SCONCE_API_KEY, or name its file with --api-key-file\n",
    ],
  );
});
