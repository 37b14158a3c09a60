// Tests `sconce doctor`: doctor.ts and examine.ts.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveOptions } from "../../config/resolve-options.ts";
import { runCommand } from "../command.kit.ts";
import { doctorCommand } from "./doctor.ts";
import type { Diagnosis } from "./examine.ts";
import { examineStores, STORE_OPTIONS } from "./examine-stores.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-doctor-"));
after(() => rmSync(folder, { recursive: true }));

/** A program that says what Python would say. */
function interpreter(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("what there is is shown, and what lacks is said with what to do", async () => {
  const torch = interpreter("torch", 'echo "2.13.0 with the CPU"');
  const { code, stdout } = await runCommand(doctorCommand, "--python", torch);
  assert.equal(code, 0);
  for (const pattern of [
    /^sconce +0\.1\.0 on Node \d+\./m,
    /^machine +\w+ \w+, \d+ cores, \d+\.\d GiB of memory$/m,
    /^ONNX Runtime +[\d.]+ runs models on cpu/m,
    /^devices +device: cpu/m,
    /^PyTorch +2\.13\.0 with the CPU, in .*torch$/m,
    /^sandbox +(namespaces and a filter of system calls, with --sandbox|namespaces, with --sandbox\n +! no filter of system calls: .+|none\n +! workers run as the server's user: .+)$/m,
  ]) {
    assert.match(stdout, pattern);
  }
  const without = interpreter("without", "exit 1");
  const json = await runCommand(doctorCommand, "--json", "--python", without);
  const found = (JSON.parse(json.stdout) as Diagnosis[]).find(({ what }) => what === "PyTorch")!;
  assert.match(found.found, /^not in /);
  assert.match(found.lacks!, /install it there/);
  const nobody = await runCommand(doctorCommand, "--python", join(folder, "nowhere"));
  assert.match(nobody.stdout, /PyTorch +no interpreter\n +! the interpreter nowhere does not exist/);
});

test("stores are asked, and what is none is refused", async () => {
  const nobody = "redis://user:canary@127.0.0.1:1/0";
  const file = "https://127.0.0.1:1/model.pt2?signature=canary";
  const options = resolveOptions(STORE_OPTIONS, { env: { SCONCE_CACHE_STORE: nobody } });
  const found = await examineStores([file], options);
  assert.deepEqual(
    found.map((one) => [one.what, one.found]),
    [
      ["models", "https://127.0.0.1:1/model.pt2 cannot be used"],
      ["cache store", "redis://127.0.0.1:1/0 cannot be used"],
    ],
  );
  for (const { lacks } of found) assert.match(lacks!, /refused/i);
  assert.ok(!JSON.stringify(found).includes("canary"));
  await assert.rejects(runCommand(doctorCommand, "digits"), { reason: "bad_arguments" });
  await assert.rejects(runCommand(doctorCommand, "--cache-store", nobody), { reason: "bad_option" });
  await assert.rejects(examineStores(["http://host/model.pt2"], options), { reason: "bad_store_address" });
});
