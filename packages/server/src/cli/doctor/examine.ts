import { execFile } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openFileLimit } from "../../app/open-file-limit.ts";
import { VERSION } from "../../app/version.ts";
import { ServeError } from "../../base/errors.ts";
import { findDevices } from "../../runtime/onnx/find-devices.ts";
import { findPython } from "../../runtime/python/find-python.ts";
import { findSandbox } from "../../worker/find-sandbox.ts";
import { undoneAtEnd } from "../undone-at-end.ts";

/** One thing that was looked at. */
export interface Diagnosis {
  readonly what: string;
  readonly found: string;
  /** What is lost by it, or what to do; undefined: it is well. */
  readonly lacks: string | undefined;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** As `--python` has it. */
  readonly python: string | undefined;
}

const PYTHON_LIMIT_MS = 60_000;
const FEW_FILES = 4096;
const GIB = 2 ** 30;
const TORCH = `import torch
cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(torch.__version__, "with", f"{cuda} CUDA devices" if cuda else "the CPU")`;

/** Looks at what this machine has for a server. Never rejects. */
export async function examine(surroundings: Surroundings): Promise<readonly Diagnosis[]> {
  const { devices, ...engine } = await onnxRuntime();
  return [
    program(),
    machine(),
    files(),
    engine,
    ...(devices === undefined ? [] : [devices]),
    await pytorch(surroundings),
    sandbox(),
  ];
}

function program(): Diagnosis {
  const { node, openssl } = process.versions;
  return { what: "sconce", found: `${VERSION} on Node ${node}, OpenSSL ${openssl}`, lacks: undefined };
}

function machine(): Diagnosis {
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const memory = `${(bytes / GIB).toFixed(1)} GiB of memory`;
  return {
    what: "machine",
    found: `${process.platform} ${process.arch}, ${availableParallelism()} cores, ${memory}`,
    lacks: undefined,
  };
}

function files(): Diagnosis {
  const limit = openFileLimit();
  const lacks =
    limit < FEW_FILES
      ? "few connections at a time: raise it (ulimit -n, LimitNOFILE= of systemd)"
      : undefined;
  return {
    what: "open files",
    found: limit === Number.POSITIVE_INFINITY ? "not said" : String(limit),
    lacks,
  };
}

async function onnxRuntime(): Promise<Diagnosis & { readonly devices?: Diagnosis }> {
  const what = "ONNX Runtime";
  try {
    const { env } = await import("onnxruntime-node");
    const { devices, absent } = await findDevices();
    const not = absent.map(({ device, why }) => `${device} (${why})`).join(", ");
    return {
      what,
      found: `${env.versions.node ?? ""} runs models on ${devices.join(", ")}`.trim(),
      lacks: undefined,
      devices: {
        what: "devices",
        found: `device: ${devices.join(", ")}${not === "" ? "" : `; not here: ${not}`}`,
        lacks: undefined,
      },
    };
  } catch (error) {
    return { what, found: "cannot be loaded", lacks: messageOf(error) };
  }
}

async function pytorch({ env, python }: Surroundings): Promise<Diagnosis> {
  const what = "PyTorch";
  let program: string;
  try {
    ({ program } = findPython({ interpreter: python, folders: [] }, env["PATH"] ?? ""));
  } catch (error) {
    return { what, found: "no interpreter", lacks: `${messageOf(error)}. Models that need none are served` };
  }
  try {
    const asked = promisify(execFile)(program, ["-c", TORCH], { timeout: PYTHON_LIMIT_MS });
    const forget = undoneAtEnd(() => asked.child.kill("SIGKILL"));
    const { stdout } = await asked.finally(forget);
    return { what, found: `${stdout.trim()}, in ${program}`, lacks: undefined };
  } catch {
    const lacks =
      "models that need PyTorch are not served: install it there, or name another interpreter with --python";
    return { what, found: `not in ${program}`, lacks };
  }
}

/** What `sconce serve --sandbox required` would do here. */
function sandbox(): Diagnosis {
  const root = mkdtempSync(join(tmpdir(), "sconce-sandbox-"));
  try {
    const { missing, unfiltered } = findSandbox({ reads: [], root });
    const what = "sandbox";
    if (missing !== undefined)
      return { what, found: "none", lacks: `workers run as the server's user: ${missing}` };
    return unfiltered === undefined
      ? { what, found: "namespaces and a filter of system calls, with --sandbox", lacks: undefined }
      : {
          what,
          found: "namespaces, with --sandbox",
          lacks: `no filter of system calls: ${unfiltered}`,
        };
  } finally {
    rmdirSync(root);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ServeError.from(error).message;
}
