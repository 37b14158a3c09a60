import { removeDeadNodes } from "./dead-code.ts";
import { dropEffects } from "./drop-effects.ts";
import { functionalise } from "./functionalise.ts";
import type { Guard } from "./guard.ts";
import { inlineSubgraphs } from "./inline-subgraphs.ts";
import { copyIntoOut } from "./into-out.ts";
import type { Arg, Graph, Node, Program, UnsupportedOps } from "./ir.ts";
import { settleGuards } from "./settle-guards.ts";
import { settleObservers } from "./settle-observers.ts";

export interface OptimizedProgram {
  readonly program: Program;
  /** Ops that the reader could not describe or a pass could not replace, with the reason; the program cannot be translated then. */
  readonly unsupported: readonly UnsupportedOps[];
}

/** All passes, in order: afterwards the program is functional and holds only what its outputs need. */
export function optimizeProgram(program: Program): OptimizedProgram {
  const { outputs } = program;
  const whole = {
    ...settleObservers(program.graph, program.weights),
    outputs: outputs.map(({ arg }) => arg),
  };
  const found: Findings = {
    unsupported: [...(program.unsupported ?? [])],
    warnings: [...program.warnings],
    demands: [],
  };
  const { graph, mutatedInputs } = optimizeGraph(whole, sharedMemory(program), found);
  for (const name of mutatedInputs) {
    const known = program.weights.get(name)?.name ?? name;
    found.warnings.push(`the program writes into '${known}'; the change is not kept between requests`);
  }
  return {
    program: {
      ...program,
      graph,
      outputs: outputs.map((output, i) => ({ ...output, arg: graph.outputs[i]! })),
      warnings: [...new Set(found.warnings)],
      ...(found.demands.length > 0 && {
        guards: [...(program.guards ?? []), ...settleGuards(found.demands, new Map()).guards],
      }),
    },
    unsupported: found.unsupported,
  };
}

interface Findings {
  readonly unsupported: UnsupportedOps[];
  readonly warnings: string[];
  readonly demands: Guard[];
}

function optimizeGraph(
  graph: Graph,
  shared: readonly (readonly string[])[],
  found: Findings,
): { graph: Graph; mutatedInputs: readonly string[] } {
  const inlined = inlineSubgraphs(graph);
  const functional = functionalise(copyIntoOut(dropEffects(inlined.graph)), shared);
  const live = removeDeadNodes(functional.graph);
  found.warnings.push(...inlined.warnings);
  found.demands.push(...functional.demands);
  found.unsupported.push(...functional.unsupported.map(({ op, reason }) => ({ op, reason, count: 1 })));
  const nodes = live.nodes.map((node) => optimizeSubgraphs(node, found));
  return { graph: { ...live, nodes }, mutatedInputs: functional.mutatedInputs };
}

/** The graphs that `cond`, `while_loop` and their like hold. */
function optimizeSubgraphs(node: Node, found: Findings): Node {
  if (![...node.args.values()].some((arg) => arg.kind === "graph")) return node;
  const args = [...node.args].map(([name, arg]): [string, Arg] => {
    if (arg.kind !== "graph") return [name, arg];
    const { graph, mutatedInputs } = optimizeGraph(arg.graph, [], found);
    if (mutatedInputs.some((input) => arg.graph.written?.has(input) !== true)) {
      const reason = "one of its graphs writes into what it is given; write into a clone";
      found.unsupported.push({ op: node.target, reason, count: 1 });
    }
    return [name, { kind: "graph", graph }];
  });
  return { ...node, args: new Map(args) };
}

/** Weights that lie in the same storage, by graph input name. */
function sharedMemory({ weights }: Program): string[][] {
  const groups = new Map<unknown, string[]>();
  for (const [name, { tensor }] of weights) {
    const group = groups.get(tensor.storage);
    if (group === undefined) groups.set(tensor.storage, [name]);
    else group.push(name);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}
