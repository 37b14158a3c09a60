import { fasterHalf, mean } from "./profile-sample.ts";

/** What a profile of ONNX Runtime says of one node, over all runs. */
export interface EngineNode {
  readonly name: string;
  readonly operator: string;
  /** Which of the nodes of that name and operator, in the order in which they run. */
  readonly occurrence: number;
  /** In a run, without what ran inside it: a mean over the faster half of the runs. */
  readonly ms: number;
  readonly calls: number;
}

export interface EngineRuns {
  /** How many runs were found. */
  readonly runs: number;
  readonly runMs: number;
  readonly nodes: readonly EngineNode[];
}

/** Of an event of ONNX Runtime, in microseconds. */
interface Event {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly node_index?: string };
}

interface Kernel {
  readonly key: string;
  readonly name: string;
  readonly operator: string;
  readonly endUs: number;
  selfUs: number;
}

const KERNEL_SUFFIX = "_kernel_time";

/** Reads the last runs of a profile. Nodes inside a branch or loop run inside the node that holds it, whose own time is the rest. */
export function readEngineRuns(text: string, runs: number): EngineRuns {
  const events = JSON.parse(text) as readonly Event[];
  const whole = events.filter(({ cat, name }) => cat === "Session" && name === "model_run").slice(-runs);
  const kernels = events
    .filter(({ cat, name }) => cat === "Node" && name.endsWith(KERNEL_SUFFIX))
    // What holds others began before them, or lasts longer.
    .sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const fast = fasterHalf(whole, ({ dur }) => dur);
  const sums = new Map<string, Sum>();
  for (const { ts, dur } of fast) {
    for (const kernel of selfTimes(kernels.filter((event) => event.ts >= ts && event.ts < ts + dur))) {
      const known = sums.get(kernel.key);
      if (known === undefined) sums.set(kernel.key, { kernel, us: kernel.selfUs, calls: 1 });
      else {
        known.us += kernel.selfUs;
        known.calls += 1;
      }
    }
  }
  return {
    runs: whole.length,
    runMs: mean(fast.map(({ dur }) => dur)) / 1000,
    nodes: numbered([...sums.values()], fast.length),
  };
}

interface Sum {
  readonly kernel: Kernel;
  us: number;
  calls: number;
}

/** Each node by the number that the engine has for it, which counts anew in every graph inside another: its name belongs to it. */
function selfTimes(events: readonly Event[]): Kernel[] {
  const around: Kernel[] = [];
  return events.map(({ name, ts, dur, args }) => {
    while (around.length > 0 && around.at(-1)!.endUs <= ts) around.pop();
    const outer = around.at(-1);
    if (outer !== undefined) outer.selfUs = Math.max(0, outer.selfUs - dur);
    const node = name.slice(0, -KERNEL_SUFFIX.length);
    const operator = args?.op_name ?? "";
    const key = `${node}\n${operator}\n${args?.node_index ?? ""}`;
    const kernel = { key, name: node, operator, endUs: ts + dur, selfUs: dur };
    if (HOLDERS.has(operator)) around.push(kernel);
    return kernel;
  });
}

/** Operators that run graphs of their own. */
const HOLDERS: ReadonlySet<string> = new Set([
  "If",
  "Loop",
  "Scan",
  "BeamSearch",
  "GreedySearch",
  "Sampling",
]);

function numbered(sums: readonly Sum[], runs: number): EngineNode[] {
  const seen = new Map<string, number>();
  return sums.map(({ kernel: { name, operator }, us, calls }) => {
    const key = `${name}\n${operator}`;
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    return { name, operator, occurrence, ms: us / 1000 / runs, calls: calls / runs };
  });
}
