import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { loadConfig, loadModelConfig, PIPELINE_KEY, readPipeline, readYaml } from "../internals/pages.ts";
import { checkCommands, checkSconce } from "./check-commands.ts";
import { checkTypes } from "./check-types.ts";

interface Places {
  /** Of the page's own files. */
  readonly folder: string;
  /** Of the project. */
  readonly root: string;
}

/** Looks at a block as what would read it does: throws or rejects where that would not take it. */
export async function checkBlock(as: string, text: string, { folder, root }: Places): Promise<void> {
  if (as === "commands") return checkCommands(text, root);
  if (as === "types") return checkTypes(text, folder);
  if (as === "container.yaml") return checkSconce((parse(text) as { args: readonly string[] }).args);
  if (as.endsWith(".json")) return void JSON.parse(text);
  assert.ok(as.endsWith(".yaml"), `nothing checks blocks as ${as}`);
  const path = join(mkdtempSync(join(folder, "checked-")), as.split("/").at(-1)!);
  writeFileSync(path, text);
  if (!as.endsWith("model.yaml")) return void loadConfig({ flags: new Map([["--config", path]]) });
  const file = readYaml(path);
  loadModelConfig(file, loadConfig({}).modelDefaults);
  if (PIPELINE_KEY in file.values) readPipeline(file);
}
