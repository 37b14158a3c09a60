import type { NamedArg } from "../graph/ir.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { isNumber, type Value } from "./value.ts";

const MAX_OUTPUTS = 10_000;

/**
 * What `forward` returns as named outputs: dictionary keys and field names, joined by dots, else positions. A lone tensor is `output`,
 * items of a tuple are `output_0`, `output_1`, …. A name that an input (`taken`) has begins with `output_`. None and text have no place in an answer; the results of refused ops have no type.
 */
export function outputsOf(result: Value, recorder: GraphRecorder, taken: readonly string[]): NamedArg[] {
  const outputs: NamedArg[] = [];
  const used = new Set(taken);
  const visit = (value: Value, path: readonly string[]): void => {
    if (outputs.length >= MAX_OUTPUTS) return;
    if (value.kind === "tensor" || isNumber(value)) {
      outputs.push({
        name: freeName(nameOf(path), used),
        arg: recorder.arg(value, value.kind === "tensor" ? "Tensor" : "Scalar"),
      });
    } else if (value.kind === "list" || value.kind === "tuple") {
      for (const [at, item] of value.items.entries())
        visit(item, [...path, value.fields?.[at] ?? String(at)]);
    } else if (value.kind === "dict") {
      for (const [key, item] of value.entries) visit(item, [...path, String(key)]);
    }
  };
  visit(result, []);
  return outputs.length === 1 && /^output_0$/.test(outputs[0]!.name)
    ? [{ ...outputs[0]!, name: "output" }]
    : outputs;
}

function freeName(name: string, used: Set<string>): string {
  let free = name;
  while (used.has(free)) free = `output_${free}`;
  used.add(free);
  return free;
}

function nameOf(path: readonly string[]): string {
  const [first = "", ...rest] = path;
  if (first === "") return "output";
  return [/^\d+$/.test(first) ? `output_${first}` : first, ...rest].join(".");
}
