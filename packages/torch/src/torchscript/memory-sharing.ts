import { aliasingOf, mutates, writtenByGraphs } from "../graph/aliasing.ts";
import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Node, ValueType } from "../graph/ir.ts";

/** Which tensors of a program that is being read may lie in the memory of others. */
export class MemorySharing {
  readonly #producers = new Map<string, Node>();
  /** What a tensor that goes round in a loop is before it. */
  readonly #initial = new Map<string, string>();
  /** Tensors that were copied into the rows of a list, and those rows. */
  readonly #kept = new Set<string>();
  readonly #typeOf: (name: string) => ValueType | undefined;

  constructor(typeOf: (name: string) => ValueType | undefined) {
    this.#typeOf = typeOf;
  }

  note(node: Node): void {
    for (const name of node.outputs) if (name !== undefined) this.#producers.set(name, node);
  }

  begin(name: string, initial: string): void {
    this.#initial.set(name, initial);
  }

  keep(name: string): void {
    this.#kept.add(name);
  }

  /** Whether the items of a list that the data lengthen may lie in a tensor's memory. */
  isKept(name: string): boolean {
    return [...this.#kept].some((kept) => this.mayShare(kept, name));
  }

  mayShare(a: string, b: string): boolean {
    const roots = this.#roots(a);
    return [...this.#roots(b)].some((name) => roots.has(name));
  }

  /** The tensors that nodes write into and did not make. */
  writtenBy(nodes: readonly Node[]): Set<string> {
    const own = new Set(nodes.flatMap((node) => node.outputs));
    const written = nodes.flatMap((node) => [
      ...(mutates(node) ? namesIn(node.args.get("self")) : []),
      ...writtenByGraphs(node).keys(),
    ]);
    const roots = written.flatMap((name) => [...this.#roots(name, (at) => !own.has(at))]);
    return new Set(roots.filter((name) => !own.has(name)));
  }

  /** What a tensor may lie in: followed back to what is fresh, or as far as `isEnd` says. */
  #roots(from: string, isEnd: (name: string) => boolean = () => false): Set<string> {
    const roots = new Set<string>();
    const seen = new Set<string>();
    const open = [from];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const next = isEnd(name) ? [] : this.#sharedBy(name);
      if (next.length === 0) roots.add(name);
      open.push(...next);
    }
    return roots;
  }

  #sharedBy(name: string): readonly string[] {
    const initial = this.#initial.get(name);
    // The tensor that goes round is another one in later turns.
    if (initial !== undefined) return [initial];
    const node = this.#producers.get(name);
    if (node === undefined) return [];
    const self = [...namesIn(node.args.get("self")), ...namesIn(node.args.get("input"))];
    if (mutates(node)) return self;
    const aliasing = aliasingOf(node, this.#typeOf);
    if (aliasing === "fresh") return [];
    if (aliasing !== "unknown" && self.length > 0) return self;
    return [...node.args.values()].flatMap(namesIn).filter((item) => this.#typeOf(item)?.kind === "tensor");
  }
}

function namesIn(arg: Arg | undefined): readonly string[] {
  return arg === undefined || arg.kind === "graph" ? [] : valuesOf(arg);
}
