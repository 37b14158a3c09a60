import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { builtFor } from "./execution-provider.ts";

/** A first look at a graphics processor compiles what it runs. */
const LIMIT_MS = 30_000;
const MOST_BYTES = 64 * 1024;
const KINDS: ReadonlySet<string> = new Set(["cpu", "cuda", "coreml", "dml", "webgpu"]);

/** `why` a device cannot compute; left out: it can. */
export interface ProbeResult {
  readonly why?: string;
}

export interface FoundDevices {
  /** As `device` of model.yaml has them. */
  readonly devices: readonly string[];
  /** What ONNX Runtime was built for and a model cannot be run on here. */
  readonly absent: readonly { readonly device: string; readonly why: string }[];
}

/** Runs a tiny model on every device that ONNX Runtime was built for, each in a process of its own. Rejects where it cannot be loaded. */
export async function findDevices(): Promise<FoundDevices> {
  const names = builtFor().filter((name) => KINDS.has(name));
  const results = await Promise.all(
    names.map(async (device) => ({ device, why: device === "cpu" ? undefined : await probe(device) })),
  );
  return {
    devices: results.filter(({ why }) => why === undefined).map(({ device }) => device),
    absent: results.flatMap(({ device, why }) => (why === undefined ? [] : [{ device, why }])),
  };
}

/** Why nothing runs there; undefined: it does. */
async function probe(device: string): Promise<string | undefined> {
  const entry = fileURLToPath(new URL("./probe-device.js", import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [entry, device], {
      timeout: LIMIT_MS,
      maxBuffer: MOST_BYTES,
      env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
    });
    return (JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as ProbeResult).why;
  } catch {
    return "a process that tried it ended, or took too long";
  }
}
