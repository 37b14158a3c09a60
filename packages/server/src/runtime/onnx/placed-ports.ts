import type { PortNaming, ProgramNames } from "@sconce/torch";
import type { DeclaredPort, DeclaredPorts } from "../../base/declared-ports.ts";
import { torchOfDatatype } from "./datatypes.ts";

/** How Triton counts the arguments and results of a PyTorch program: `INPUT__0`. */
const COUNTED = /__(\d{1,3})$/;

/**
 * The names of a model with those that another server's settings count rather than call: `INPUT__0` is the first input where the file has
 * no input of that name. What the file calls it stays an alias.
 */
export function placedPorts(names: ProgramNames, declared: DeclaredPorts | undefined): ProgramNames {
  if (declared === undefined) return names;
  return { inputs: placed(names.inputs, declared.inputs), outputs: placed(names.outputs, declared.outputs) };
}

function placed(ports: readonly PortNaming[], declared: readonly DeclaredPort[]): readonly PortNaming[] {
  const isKnown = (word: string): boolean =>
    ports.some(({ name, aliases = [] }) => name === word || aliases.includes(word));
  const byPlace = new Map<number, string>();
  for (const { name } of declared) {
    const place = COUNTED.exec(name)?.[1];
    if (place === undefined || isKnown(name)) continue;
    const stem = name.replace(COUNTED, "");
    const called = ports.findIndex((port) => port.name === stem);
    byPlace.set(called >= 0 ? called : Number(place), name);
  }
  return ports.map((port, i) => {
    const name = byPlace.get(i);
    return name === undefined ? port : { name, aliases: [port.name, ...(port.aliases ?? [])] };
  });
}

/** What a TorchScript program takes, as `inputs` in a model.yaml says it. */
export function declaredInputs(
  ports: DeclaredPorts | undefined,
): Readonly<Record<string, string>> | undefined {
  if (ports === undefined || ports.inputs.length === 0) return undefined;
  const inputs: [string, string][] = [];
  for (const [place, { name, datatype, dims, shape }] of ports.inputs.entries()) {
    const dtype = torchOfDatatype(datatype);
    if (dtype === undefined) return undefined;
    const own = (shape ?? dims).map((size, axis) => (size === -1 ? `size${place}_${axis + 1}` : size));
    inputs.push([name, `${dtype}[${(ports.isBatched ? ["batch", ...own] : own).join(", ")}]`]);
  }
  return Object.fromEntries(inputs);
}
