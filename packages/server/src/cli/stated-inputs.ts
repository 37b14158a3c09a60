import { existsSync } from "node:fs";
import type { ScriptInput } from "@sconce/torch";
import { ServeError } from "../base/errors.ts";
import { MODEL_OPTIONS } from "../config/model-options.ts";
import { parseOption } from "../config/parse-option.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import { readYaml } from "../config/yaml-file.ts";
import { scriptInputs } from "../runtime/onnx/script-inputs.ts";
import type { Arguments } from "./arguments.ts";
import { usageError } from "./usage-error.ts";

/** The option of commands that read a program: what `inputs` of a model.yaml is to the server. */
export const STATED_INPUTS = {
  inputs: {
    kind: "text",
    default: null,
    doc: "What a scripted TorchScript program takes, which the file does not say: '{x: \"float32[batch, 3, 224, 224]\"}' (YAML or JSON), 'x=float32[batch, 8]; y=int64[]', or a file that says it, such as a model.yaml.",
  },
} as const;

/** The inputs that a user states, as texts for a worker and read for a translation here. */
export interface StatedInputs {
  readonly texts: Readonly<Record<string, string>>;
  readonly types: ReadonlyMap<string, ScriptInput>;
}

/** Reads `--inputs`: a file whose `inputs` they are, or that holds nothing else, or the text itself. Undefined without it. Throws ServeError. */
export function statedInputs({ flags }: Arguments): StatedInputs | undefined {
  const { inputs: given } = resolveOptions(STATED_INPUTS, { flags });
  if (given === undefined) return undefined;
  const file = existsSync(given) ? readYaml(given) : undefined;
  const label = file === undefined ? "--inputs" : `inputs in ${file.name}`;
  const raw = file === undefined ? given : (file.values["inputs"] ?? file.values);
  const texts = parseOption(MODEL_OPTIONS.inputs, raw, { label }) as StatedInputs["texts"];
  try {
    return { texts, types: scriptInputs(texts) };
  } catch (error) {
    throw error instanceof ServeError ? usageError(`--inputs: ${error.message}`) : error;
  }
}
