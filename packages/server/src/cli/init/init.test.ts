import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfig, loadModelConfig } from "../../config/load-config.ts";
import { parseYaml } from "../../config/yaml-file.ts";
import { runCommand } from "../command.kit.ts";
import { initCommand } from "./init.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const DIGITS = at("examples/models/digits.pt2");
const SCRIPTED = at("packages/torch/fixtures/rewrite/scripted.pt");
const folder = mkdtempSync(join(tmpdir(), "init-"));
after(() => rmSync(folder, { recursive: true }));
const { modelDefaults } = loadConfig({ flags: new Map() });

describe("sconce init", () => {
  test("writes a model.yaml that changes nothing, and whose every key may be uncommented", async () => {
    const own = join(folder, "digits");
    mkdirSync(own);
    copyFileSync(DIGITS, join(own, "digits.pt2"));
    const { code, stdout } = await runCommand(initCommand, join(own, "digits.pt2"));
    assert.equal(code, 0);
    assert.match(stdout, /model\.yaml explains what can be set/);
    const text = readFileSync(join(own, "model.yaml"), "utf8");
    assert.deepEqual(loadModelConfig(parseYaml(text, "model.yaml"), modelDefaults), modelDefaults);
    const keys: string[] = text.match(/^# {1,3}[A-Za-z_]+: \S+$/gm) ?? [];
    const uncommented = text
      .split("\n")
      .filter((line) => keys.includes(line) || /^# (?:rename|labels):$/.test(line))
      .map((line) => line.slice(2))
      .join("\n");
    const config = loadModelConfig(parseYaml(uncommented, "model.yaml"), modelDefaults);
    assert.ok(keys.length >= 12, text);
    assert.deepEqual(
      [config.maxBatchSize, config.rename, config.labels],
      [modelDefaults.maxBatchSize, { image: "my_input" }, { probabilities: "labels.txt" }],
    );
    await assert.rejects(runCommand(initCommand, join(own, "digits.pt2")), { message: /is there already/ });
  });

  test("a script gets the inputs that it cannot do without", async () => {
    const { stdout } = await runCommand(initCommand, SCRIPTED, "-o", "-");
    const { inputs } = loadModelConfig(parseYaml(stdout, "model.yaml"), modelDefaults);
    assert.deepEqual(inputs, { x: "float32[batch, 3, 224, 224]" });
  });

  test("writes no model.yaml for a folder of several models", async () => {
    copyFileSync(DIGITS, join(folder, "a.pt2"));
    writeFileSync(join(folder, "b.onnx"), "");
    await assert.rejects(runCommand(initCommand, join(folder, "a.pt2")), {
      message:
        /holds other models \(b\.onnx\), and a model\.yaml is for a folder of one: move a\.pt2 to .*a\/, or/,
    });
  });
});
