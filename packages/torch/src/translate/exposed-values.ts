import type { NamedArg, Program } from "../graph/ir.ts";

/** Stands before the name of a value that is an output as well: no name in a program of PyTorch begins so. */
const PREFIX = "value.";

/** The program with tensors inside it as further outputs, behind its own. Names that no tensor has are left out. */
export function withExposedValues(program: Program, names: readonly string[]): Program {
  const { values } = program.graph;
  const exposed = names
    .filter((name) => values.get(name)?.kind === "tensor")
    .map((name): NamedArg => ({ name: PREFIX + name, arg: { kind: "value", name } }));
  return { ...program, outputs: [...program.outputs, ...exposed] };
}

/** What a value is called in its program by the name of the output that exposes it; undefined: it exposes none. */
export function exposedValue(output: string): string | undefined {
  return output.startsWith(PREFIX) ? output.slice(PREFIX.length) : undefined;
}
