import { parseScriptInput, type ScriptInput } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";

/** What a scripted program takes, from texts such as `float32[batch, 3, 224, 224]` by name. Throws ServeError `failed_precondition`. */
export function scriptInputs(texts: Readonly<Record<string, string>>): ReadonlyMap<string, ScriptInput> {
  const parsed = Object.entries(texts).map(([name, text]): [string, ScriptInput] => {
    const input = parseScriptInput(text);
    if (input !== undefined) return [name, input];
    throw new ServeError(
      "failed_precondition",
      `'inputs' says ${JSON.stringify(text.slice(0, 80))} of '${name}': expected a dtype and sizes, such as float32[batch, 3, 224, 224], or a number`,
      { reason: "option_unsupported" },
    );
  });
  return new Map(parsed);
}
