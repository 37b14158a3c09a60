import fs, { type PathLike } from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";
import type { FaultPlan } from "./fault-plan.ts";

type AnyFunction = (...args: never[]) => unknown;

const PATH_CALLS = ["statSync", "lstatSync", "realpathSync", "readdirSync", "readFileSync"] as const;
const DESCRIPTOR_CALLS = ["fstatSync", "readSync"] as const;
const PROMISED_CALLS = ["stat", "realpath", "readdir"] as const;

const { readFileSync, appendFileSync, openSync, closeSync } = fs;
const { open } = fsPromises;

/**
 * From now on the file system calls of this process that the server's own code makes can be made to fail, by a plan in a file that comes
 * and goes. Native code, such as ONNX Runtime, does its own calls, which this cannot reach.
 */
export function installFaults(planFile: string): void {
  const gate = createGate(planFile);
  const paths = new Map<number, string>();
  wrapPathCalls(gate);
  wrapDescriptorCalls(gate, paths);
  replace(fsPromises, "open", (async (path: PathLike, ...rest: []) => {
    gate("open", String(path));
    return guarded(await open(path, ...rest), String(path), gate);
  }) as AnyFunction);
  syncBuiltinESMExports();
}

/** Counts a call, and throws what the plan says. */
type Gate = (call: string, path: string) => void;

function createGate(planFile: string): Gate {
  let calls = 0;
  return (call, path) => {
    const plan = readPlan(planFile);
    if (plan === undefined || !path.startsWith(plan.under)) return;
    const id = `${process.pid}.${calls++}`;
    appendFileSync(plan.journal, `${id} ${call} ${basename(path)}\n`);
    // One file for all processes: the place of a line in it is the call's number.
    const index = readFileSync(plan.journal, "utf8")
      .split("\n")
      .findIndex((line) => line.startsWith(`${id} `));
    const fails = plan.lasts === "once" ? index === plan.at : index >= plan.at;
    if (!fails) return;
    throw Object.assign(new Error(`${plan.code}: ${call} '${path}'`), {
      code: plan.code,
      syscall: call,
      path,
    });
  };
}

function readPlan(planFile: string): FaultPlan | undefined {
  try {
    return JSON.parse(readFileSync(planFile, "utf8")) as FaultPlan;
  } catch {
    return undefined;
  }
}

function wrapPathCalls(gate: Gate): void {
  for (const name of PATH_CALLS) {
    const original = fs[name] as AnyFunction;
    const faulty = (path: PathLike | number, ...rest: never[]): unknown => {
      if (typeof path === "string") gate(name, path);
      return original(path as never, ...rest);
    };
    replace(fs, name, Object.assign(faulty, original));
  }
  for (const name of PROMISED_CALLS) {
    const original = fsPromises[name] as AnyFunction;
    replace(fsPromises, name, (async (path: PathLike, ...rest: never[]) => {
      gate(name, String(path));
      return original(path as never, ...rest);
    }) as AnyFunction);
  }
}

function wrapDescriptorCalls(gate: Gate, paths: Map<number, string>): void {
  replace(fs, "openSync", ((path: PathLike, ...rest: []) => {
    gate("openSync", String(path));
    const descriptor = openSync(path, ...(rest as unknown as [string]));
    paths.set(descriptor, String(path));
    return descriptor;
  }) as AnyFunction);
  for (const name of DESCRIPTOR_CALLS) {
    const original = fs[name] as AnyFunction;
    replace(fs, name, ((descriptor: number, ...rest: never[]) => {
      gate(name, paths.get(descriptor) ?? "");
      return original(descriptor as never, ...rest);
    }) as AnyFunction);
  }
  replace(fs, "closeSync", ((descriptor: number) => {
    const path = paths.get(descriptor) ?? "";
    paths.delete(descriptor);
    // A close that fails has closed all the same.
    closeSync(descriptor);
    gate("closeSync", path);
  }) as AnyFunction);
}

function guarded(handle: FileHandle, path: string, gate: Gate): FileHandle {
  const [read, close] = [handle.read.bind(handle), handle.close.bind(handle)] as const;
  return Object.assign(handle, {
    async read(...args: []) {
      gate("read", path);
      return read(...args);
    },
    async close() {
      await close();
      gate("close", path);
    },
  });
}

function replace(module: object, name: string, by: AnyFunction): void {
  (module as Record<string, unknown>)[name] = by;
}
