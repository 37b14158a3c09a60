import type { Arg, Node } from "./ir.ts";

/** What stands for a node comes from where the node does. */
export function originOf({ target, place }: Node): Pick<Node, "origin" | "place"> {
  return place === undefined ? { origin: target } : { origin: target, place };
}

export function valueArg(name: string): Arg {
  return { kind: "value", name };
}

/** The values that an argument names. */
export function namesIn(arg: Arg): string[] {
  if (arg.kind === "value") return [arg.name];
  return arg.kind === "list" ? arg.items.flatMap(namesIn) : [];
}
