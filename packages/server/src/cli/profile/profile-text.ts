import type { ProfileReport } from "./profile-report.ts";
import type { GroupTime, ModuleTime } from "./profile-tree.ts";

export interface ShownLines {
  readonly depth: number;
  /** Percent of a run. */
  readonly least: number;
}

const MOST_GROUPS = 12;
const MOST_KERNELS = 3;

/** A profile for people: the tree of modules, then modules that repeat, then ops. */
export function profileText(report: ProfileReport, shown: ShownLines): string {
  const { tree, model } = report;
  const totalMs = report.operationsMs + report.betweenMs;
  const tell = (ms: number): string => `${percent(ms / totalMs).padStart(7)}  ${milliseconds(ms)}`;
  const modules = [
    "  share        ms  module",
    ...treeLines(tree, { ...shown, totalMs, model, tell }),
    ...betweenLines(report, { ...shown, totalMs, tell }),
    "",
    "  share        ms  calls  modules of a kind, without what is inside them",
    ...groupLines(report.modules, { ...shown, totalMs, tell, nameless: model }),
  ];
  const lines = [
    ...head(report),
    "",
    ...(report.attributed > 0 ? modules : ["The file does not say which modules its operations come from."]),
    "",
    "  share        ms  calls  operation, and what runs it",
    ...groupLines(
      report.ops.map((op) => ({ ...op, along: [] })),
      { ...shown, totalMs, tell, nameless: "" },
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function head({
  model,
  runtime,
  rows,
  runs,
  threads,
  plainMs,
  profiledMs,
  operationsMs,
  attributed,
}: ProfileReport): string[] {
  const of = `${rows} ${rows === 1 ? "row" : "rows"}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return [
    `${model}: ${plainMs.toFixed(2)} ms a run of ${of}, with ${runtime === "onnx" ? "ONNX Runtime" : "PyTorch"} (the faster half of ${runs} runs)`,
    `while profiled: ${profiledMs.toFixed(2)} ms, of which operations ${operationsMs.toFixed(2)} ms; ${percent(attributed)} of that belong to a module`,
  ];
}

/** What no module is asked for, by its name. */
function betweenLines(
  { betweenMs, notingMs }: ProfileReport,
  { least, totalMs, tell }: ShownLines & Pick<TreeLines, "totalMs" | "tell">,
): string[] {
  if (betweenMs <= 0 || (100 * betweenMs) / totalMs < least) return [];
  return [
    `${tell(betweenMs)}  (the engine, between operations; up to ${notingMs.toFixed(notingMs < 0.1 ? 4 : 2)} ms of it to note them down)`,
  ];
}

interface TreeLines extends ShownLines {
  readonly totalMs: number;
  readonly model: string;
  tell(ms: number): string;
}

function treeLines(tree: ModuleTime, options: TreeLines): string[] {
  const { totalMs, least, depth, model, tell } = options;
  const isShown = ({ ms }: ModuleTime): boolean => ms > 0 && (100 * ms) / totalMs >= least;
  const lines: string[] = [];
  const add = (node: ModuleTime, level: number, name: string): void => {
    lines.push(`${tell(node.ms)}  ${"  ".repeat(level)}${name}${classOf(node)}`);
    if (level >= depth) return;
    for (const child of node.children.filter(isShown)) {
      const inner = straightened(child);
      add(inner, level + 1, relative(inner.module, node.module));
    }
  };
  add(tree, 0, model);
  return lines;
}

/** A module that only holds another one needs no line: `encoder.layer`. */
function straightened(node: ModuleTime): ModuleTime {
  const [only, ...others] = node.children;
  return only !== undefined && others.length === 0 && node.ownMs === 0 && node.type === undefined
    ? straightened(only)
    : node;
}

function relative(module: string, around: string): string {
  return around === "" ? module : module.slice(around.length + 1);
}

function classOf({ type }: ModuleTime): string {
  return type === undefined ? "" : ` (${type.split(".").at(-1)})`;
}

interface GroupLines extends ShownLines {
  readonly totalMs: number;
  /** For the group without a name. */
  readonly nameless: string;
  tell(ms: number): string;
}

function groupLines(groups: readonly GroupTime[], options: GroupLines): string[] {
  const { totalMs, least, nameless, tell } = options;
  const shown = groups.filter(({ ms }) => ms > 0 && (100 * ms) / totalMs >= least).slice(0, MOST_GROUPS);
  return shown.map(({ name, ms, calls, line, kernels, along }) => {
    const more = along.length > MOST_KERNELS ? ", …" : "";
    const others = along.length === 0 ? "" : `  with ${along.slice(0, MOST_KERNELS).join(", ")}${more}`;
    const run = kernels.slice(0, MOST_KERNELS).join(", ");
    const by = kernels.length > MOST_KERNELS ? `${run}, …` : run;
    const where = line === undefined ? "" : `  ${line}`;
    return `${tell(ms)}  ${String(Math.round(calls)).padStart(5)}  ${name || nameless}  [${by}]${others}${where}`;
  });
}

function percent(share: number): string {
  return `${(100 * (Number.isFinite(share) ? share : 0)).toFixed(1)} %`;
}

function milliseconds(ms: number): string {
  return ms.toFixed(ms < 0.1 ? 4 : 2).padStart(8);
}
