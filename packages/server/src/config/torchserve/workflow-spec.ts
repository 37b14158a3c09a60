import { ServeError } from "../../base/errors.ts";
import type { Workflow, WorkflowNode } from "../../base/workflow.ts";

/** Steps of a workflow, and what there can be of everything else in it. */
const MOST_NODES = 64;
const MOST_WORKERS = 1024;
const MOST_MS = 24 * 60 * 60_000;
/** A function of the workflow's code has this name, and a model a name that ends with it. */
const NODE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const WORKFLOW = /^[A-Za-z0-9][A-Za-z0-9._-]{0,61}$/;

type Json = Readonly<Record<string, unknown>>;

/** The numbers that stand beside models, and in each of them. */
const NUMBERS = {
  "min-workers": { fallback: 1, most: MOST_WORKERS },
  "max-workers": { fallback: 1, most: MOST_WORKERS },
  "batch-size": { fallback: 1, most: 65_536 },
  "max-batch-delay": { fallback: 50, most: MOST_MS },
  "retry-attempts": { fallback: 1, most: 100 },
  "timeout-ms": { fallback: 10_000, most: MOST_MS },
} as const;
type NumberName = keyof typeof NUMBERS;
type Numbers = Readonly<Record<NumberName, number>>;

/** A graph that is none, in TorchServe's words. */
export class InvalidDag extends Error {}

/** Reads the specification of a workflow. Throws `invalid_argument`/`bad_config_file`, and InvalidDag. */
export function readWorkflowSpec(
  spec: Json,
  { name, url }: { readonly name: string; readonly url: string },
): Workflow {
  if (!WORKFLOW.test(name))
    throw bad(`the name of a workflow has at most 62 letters, digits, '.', '_' and '-', got ${shown(name)}`);
  const models = mapping(spec["models"] ?? {}, "models");
  const numbers = readNumbers(models, defaultNumbers());
  const next = readDag(mapping(spec["dag"], "dag"));
  const before = new Map<string, string[]>([...next.keys()].map((node) => [node, []]));
  for (const [from, all] of next) for (const to of all) before.get(to)!.push(from);
  const order = sorted(next, before);
  return {
    name,
    url,
    nodes: order.map((node) => {
      const made = readNode(models[node], { name: node, workflow: name, numbers });
      return { ...made, before: before.get(node)!, isLeaf: next.get(node)!.length === 0 };
    }),
    defaults: {
      minWorkers: numbers["min-workers"],
      maxWorkers: numbers["max-workers"],
      batchSize: numbers["batch-size"],
      maxBatchDelayMs: numbers["max-batch-delay"],
    },
    dag: `{${Object.entries(mapping(spec["dag"], "dag"))
      .map(([from, to]) => `${from}=[${listOf(to, from).join(", ")}]`)
      .join(", ")}}`,
  };
}

function readNode(
  value: unknown,
  {
    name,
    workflow,
    numbers,
  }: { readonly name: string; readonly workflow: string; readonly numbers: Numbers },
): Omit<WorkflowNode, "before" | "isLeaf"> {
  const of = { name, model: `${workflow}__${name}` };
  const attempts = { timeoutMs: numbers["timeout-ms"], retryAttempts: numbers["retry-attempts"] };
  // As TorchServe has it: functions run alone, whatever is said of models.
  if (value === undefined)
    return { ...of, ...attempts, url: undefined, workers: 1, batchSize: 1, maxBatchDelayMs: 0 };
  const model = mapping(value, `models.${name}`);
  const { url } = model;
  if (typeof url !== "string") throw bad(`models.${name}: url: expected the name of an archive`);
  const own = readNumbers(model, numbers);
  return {
    ...of,
    url,
    workers: Math.max(1, own["max-workers"]),
    batchSize: Math.max(1, own["batch-size"]),
    maxBatchDelayMs: own["max-batch-delay"],
    timeoutMs: own["timeout-ms"],
    retryAttempts: own["retry-attempts"],
  };
}

function defaultNumbers(): Numbers {
  const entries = Object.entries(NUMBERS).map(([name, { fallback }]) => [name, fallback]);
  return Object.fromEntries(entries) as Numbers; // one for each name
}

function readNumbers(from: Json, fallback: Numbers): Numbers {
  const read = { ...fallback } as Record<NumberName, number>;
  for (const name of Object.keys(NUMBERS) as NumberName[]) {
    const value = from[name];
    if (value === undefined) continue;
    const { most } = NUMBERS[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most)
      throw bad(`${name}: expected a whole number from 0 to ${most}, got ${shown(value)}`);
    read[name] = value;
  }
  return read;
}

/** What comes after each node; every node is a key. */
function readDag(dag: Json): ReadonlyMap<string, readonly string[]> {
  const next = new Map<string, string[]>();
  const add = (name: string): string[] => {
    if (!NODE.test(name)) throw bad(`dag: ${shown(name)} is no name of a function or model`);
    const known = next.get(name) ?? [];
    next.set(name, known);
    if (next.size > MOST_NODES) throw bad(`dag: more than ${MOST_NODES} nodes`);
    return known;
  };
  for (const [from, value] of Object.entries(dag)) {
    const after = add(from);
    for (const to of listOf(value, from)) {
      if (to.trim() === "") continue;
      if (to === from) throw new InvalidDag("Self loop exception");
      add(to);
      if (after.includes(to)) throw new InvalidDag("loop exception");
      after.push(to);
    }
  }
  return next;
}

function listOf(value: unknown, from: string): readonly string[] {
  const list: readonly unknown[] =
    value === null || value === undefined ? [] : Array.isArray(value) ? value : [undefined];
  return list.map((one) => {
    if (one === null) return "";
    if (typeof one === "string") return one;
    throw bad(`dag.${from.slice(0, 80)}: expected a list of names`);
  });
}

/** Those before others first. */
function sorted(
  next: ReadonlyMap<string, readonly string[]>,
  before: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const missing = new Map([...before].map(([node, from]) => [node, from.length]));
  const ready = [...missing].filter(([, count]) => count === 0).map(([node]) => node);
  if (ready.length !== 1) throw new InvalidDag("DAG should have only one start node");
  const order: string[] = [];
  for (let node = ready.shift(); node !== undefined; node = ready.shift()) {
    order.push(node);
    for (const after of next.get(node)!) {
      const left = missing.get(after)! - 1;
      missing.set(after, left);
      if (left === 0) ready.push(after);
    }
  }
  if (order.length !== next.size) throw new InvalidDag("Not a valid DAG");
  return order;
}

function mapping(value: unknown, where: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw bad(`${where}: expected keys and values`);
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? "nothing";
}

function bad(why: string): ServeError {
  return new ServeError("invalid_argument", `the workflow's specification: ${why}`, {
    reason: "bad_config_file",
  });
}
