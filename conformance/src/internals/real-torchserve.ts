import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** A folder for PYTHONPATH without which TorchServe does not start here. */
export const TORCHSERVE_START: string = join(ROOT, "bench/peers/torchserve-start");
const START_LIMIT_MS = 120_000;

/** The real TorchServe with a model store that is empty of registered models. */
export interface RealTorchserve {
  readonly pid: number;
  readonly addresses: { readonly inference: string; readonly management: string; readonly metrics: string };
  readonly grpc: { readonly inference: string; readonly management: string };
  stop(): Promise<void>;
}

/** The environment with TorchServe, made at the first call. */
export async function torchservePython(): Promise<string> {
  const maker = join(ROOT, "scripts/python-env.mjs");
  const list = join(ROOT, "bench/peers/torchserve-requirements.txt");
  return (await promisify(execFile)(process.execPath, [maker, list])).stdout.trim();
}

/** A model store, where TorchServe's files and logs go, five free ports (inference, management, metrics; the same two over gRPC), and further lines of its settings. */
export interface TorchserveOptions {
  readonly store: string;
  readonly home: string;
  readonly ports: readonly [number, number, number, number, number];
  readonly settings?: string;
}

/** The command that runs TorchServe, which reads its settings from a file in `home`. */
export function torchserveProgram(
  python: string,
  { store, home, ports, settings = "" }: TorchserveOptions,
): { program: string; args: string[]; cwd: string; env: Record<string, string> } {
  const [inference, management, metrics, grpcInference, grpcManagement] = ports;
  mkdirSync(join(home, "tmp"), { recursive: true });
  const config = join(home, "config.properties");
  writeFileSync(
    config,
    `inference_address=http://127.0.0.1:${inference}\nmanagement_address=http://127.0.0.1:${management}\nmetrics_address=http://127.0.0.1:${metrics}
grpc_inference_port=${grpcInference}\ngrpc_management_port=${grpcManagement}
disable_token_authorization=true\nenable_model_api=true\ndefault_workers_per_model=1\ndisable_system_metrics=true\n${settings}`,
  );
  return {
    program: python,
    args: [
      ...["-c", "from ts.model_server import start; start()", "--start", "--foreground", "--ncs"],
      ...["--ts-config", config, "--model-store", store],
    ],
    cwd: home,
    env: {
      TMPDIR: join(home, "tmp"),
      TEMP: join(home, "tmp"),
      LOG_LOCATION: home,
      METRICS_LOCATION: home,
      PYTHONPATH: TORCHSERVE_START,
    },
  };
}

/** Starts TorchServe on five ports from `firstPort` on; its files and logs go into `home`. */
export async function startTorchserve(
  python: string,
  store: string,
  {
    home,
    firstPort,
    settings = "",
  }: { readonly home: string; readonly firstPort: number; readonly settings?: string },
): Promise<RealTorchserve> {
  const ports = [firstPort, firstPort + 1, firstPort + 2, firstPort + 3, firstPort + 4] as const;
  const [inference, management, metrics] = ports.map((port) => `http://127.0.0.1:${port}`) as [
    string,
    string,
    string,
  ];
  const { program, args, cwd, env } = torchserveProgram(python, { store, home, ports, settings });
  const child = spawn(program, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, ...env },
  });
  const log = createWriteStream(join(home, "torchserve.log"));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  await untilHealthy(child, inference, home);
  return {
    pid: child.pid!,
    addresses: { inference, management, metrics },
    grpc: { inference: `127.0.0.1:${ports[3]}`, management: `127.0.0.1:${ports[4]}` },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      // Java and the workers are its group.
      process.kill(-child.pid!, "SIGKILL");
      await ended;
    },
  };
}

async function untilHealthy(child: ChildProcess, url: string, home: string): Promise<void> {
  const endMs = performance.now() + START_LIMIT_MS;
  for (;;) {
    const answer = await fetch(`${url}/ping`).catch(() => undefined);
    // With tokens on it answers nobody who has none.
    if (answer?.ok || answer?.status === 400) return;
    if (child.exitCode !== null || performance.now() > endMs)
      throw new Error(`TorchServe does not start: see torchserve.log in ${home}`);
    await sleep(50);
  }
}
