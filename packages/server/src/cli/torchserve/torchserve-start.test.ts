// Tests the server that a config.properties asks for.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startServer } from "../../app/start-server.ts";
import { loadConfig } from "../../config/load-config.ts";
import { runCommand } from "../command.kit.ts";
import { checkCommand } from "../list/check.ts";
import { overlookedProperties, torchserveStart } from "../torchserve-start.ts";
import { writeArchive } from "./archive.kit.ts";

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "torchserve-start-"));
after(() => rmSync(folder, { recursive: true }));
const store = join(folder, "store");
mkdirSync(store);
copyFileSync(DIGITS, join(store, "digits.pt2"));
writeArchive(join(store, "a.mar"), { modelName: "first", modelVersion: "1.0", handler: "h.py" });
writeArchive(join(store, "b.mar"), { modelName: "first", modelVersion: "2.0", handler: "h.py" });
writeFileSync(join(store, "half.mar"), "PK");

function configOf(text: string): string {
  const file = join(folder, "config.properties");
  writeFileSync(file, `model_store=${store}\ndisable_token_authorization=true\n${text}`);
  return file;
}

async function started(text: string, flags: Record<string, string> = {}, env = {}) {
  const all = new Map(Object.entries({ "--ts-config": configOf(text), ...flags }));
  const start = await torchserveStart({ flags: all, paths: [] }, env);
  assert.ok(start !== undefined);
  return { ...start, flags: all };
}

test("archives have the names that they give themselves, as with TorchServe", async () => {
  const { paths, notes, base } = await started("load_models=all");
  assert.deepEqual(paths, [
    `first=${store}/a.mar`,
    `${store}/b.mar`,
    `${store}/digits.pt2`,
    `${store}/half.mar`,
  ]);
  assert.match(
    notes.join("\n"),
    /^b\.mar is version 2\.0 of first as well, and is served as b: versions .* first\/2\/b\.mar$/,
  );
  assert.equal(base.values["model_control"], "none");
});

test("models that it names are served under their names, and what is missing is said", async () => {
  const { paths, notes } = await started("load_models=x=a.mar,nowhere.mar,https://example.com/y.mar");
  assert.deepEqual(paths, [`x=${store}/a.mar`]);
  assert.deepEqual(notes, [
    `nowhere.mar is not in ${store}, and is not served`,
    `https://example.com/y.mar is not fetched: put it into ${store}`,
  ]);
});

test("a file that means harm ends the start with one line of what is wrong, or fetches and leaves nothing", async () => {
  const refused: Readonly<Record<string, RegExp>> = {
    "model_store=/dev/zero": /^\/dev\/zero is no folder$/,
    [`model_store=${DIGITS}`]: /digits\.pt2 is no folder$/,
    [`model_store=${DIGITS}/store`]: /digits\.pt2|store/,
    "inference_address=file:///etc/passwd": /expected an address such as/,
    "inference_address=http://[::1": /expected an address such as/,
    "inference_address=http://127.0.0.1:99999": /expected a port from 0 to 65535/,
    'models={"__proto__":{': /models in config\.properties: it is not JSON/,
    [`a=${"\\".repeat(2 ** 20)}b`]: /larger than 1048576 bytes/,
  };
  for (const [text, expected] of Object.entries(refused)) {
    await assert.rejects(started(text), (error: Error) => {
      assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
  const flags = new Map([["--ts-config", "/dev/zero"]]);
  if (process.platform !== "win32")
    await assert.rejects(torchserveStart({ flags, paths: [] }, {}), /larger than 1048576 bytes/);
  const { paths } = await started(
    "load_models=../../../etc/passwd.mar,http://169.254.169.254/x.mar,file:///etc/passwd",
  );
  assert.deepEqual(paths, []);
});

test("models are registered by requests where that is allowed, and somebody may", async () => {
  const nobody = await started("load_models=a.mar\nenable_model_api=true");
  assert.equal(nobody.base.values["model_control"], "none");
  assert.match(nobody.notes.join("\n"), /set SCONCE_ADMIN_TOKEN/);
  const somebody = await started("load_models=a.mar\nenable_model_api=true", {}, { SCONCE_ADMIN_TOKEN: "x" });
  const { model_control: control, load_models: loads } = somebody.base.values;
  assert.deepEqual(
    [control, loads, somebody.paths],
    ["explicit", ["first"], [store, `first=${store}/a.mar`]],
  );
});

test("the server listens, serves and answers as the file says", async (t) => {
  const { flags, base, paths } = await started(
    'load_models=x=digits.pt2\nmodels={"x": {"1.0": {"minWorkers": 2, "batchSize": 4}}}',
    { "--port": "0" },
  );
  const running = await startServer({ config: loadConfig({ flags, base }), paths });
  t.after(() => running.stop());
  await running.settled;
  const response = await fetch(`http://${running.torchserve?.management}/models/x`);
  const [described] = (await response.json()) as Record<string, unknown>[];
  assert.deepEqual([described!["minWorkers"], described!["batchSize"]], [2, 4]);
});

test("a server without --compat torchserve looks for no file", async () => {
  assert.equal(await torchserveStart({ flags: new Map(), paths: [] }, { TS_CONFIG_FILE: "x" }), undefined);
  const env = { TS_CONFIG_FILE: configOf("load_models=all"), SCONCE_COMPAT: "torchserve" };
  const found = await torchserveStart({ flags: new Map(), paths: [] }, env);
  assert.match(found!.notes[0]!, /^TorchServe's configuration is followed: /);
  const none = new Map([["--ts-config", "none"]]);
  assert.equal(await torchserveStart({ flags: none, paths: [] }, env), undefined);
});

test("a file in or beside the store, where TorchServe does not look either, is named", () => {
  const file = configOf("");
  const flags = new Map([["--compat", "torchserve"]]);
  const [note] = overlookedProperties({ flags, paths: [store] }, {});
  assert.equal(note, `${file} is not read: --ts-config ${file} has it followed`);
  assert.deepEqual(overlookedProperties({ flags: new Map(), paths: [store] }, {}), []);
  assert.deepEqual(overlookedProperties({ flags, paths: [join(folder, "no", "such")] }, {}), []);
});

test("sconce check asks its own server, whatever keys clients need", async () => {
  const file = join(folder, "tokens.properties");
  writeFileSync(file, `model_store=${store}\nload_models=digits.pt2\n`);
  const { code, stdout } = await runCommand(checkCommand, "--ts-config", file);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^digits +1 +READY$/m);
});
