import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { isReady, startChildServer } from "../child-server.ts";
import { digitsBody } from "../digits.ts";
import { type Compared, explanation, type Figures } from "../load-difference.ts";
import { median } from "../median.ts";
import { ownCpuMs, treeCpuMs } from "../process-tree.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = [1, 8, 32];

/** Whether `sconce bench` sees what `wrk` sees: the same bodies to the same endpoint over as many connections, in turn. Needs `wrk` on the PATH. */
export const load: Suite = {
  summary:
    "digits over REST /predict, measured by sconce bench and by wrk, taking turns: medians, and their ratios",
  async run(print) {
    const folder = mkdtempSync(join(tmpdir(), "sconce-load-"));
    const server = await startChildServer(
      [...SCONCE, "serve", MODELS, "--port=0", "--log-level=error"],
      isReady,
    );
    try {
      const url = `${server.url}/predict/digits`;
      const files = writeInputs(folder);
      const data: Compared[] = [];
      for (const connections of CONNECTIONS) {
        const ours: Figures[] = [];
        const theirs: Figures[] = [];
        for (let round = 0; round <= ROUNDS; round++) {
          const own = await costed(server.pid, () => byBench(url, connections, files.body));
          const other = await costed(server.pid, () => byWrk(url, connections, files.script));
          // The first round warms the server up.
          if (round > 0) {
            ours.push(own);
            theirs.push(other);
          }
        }
        data.push({ connections, bench: medians(ours), wrk: medians(theirs) });
      }
      print(table(data.map(row)));
      for (const measured of data) print(explanation(measured));
      return data;
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true });
    }
  },
};

function writeInputs(folder: string): { readonly body: string; readonly script: string } {
  const { body } = digitsBody();
  const [bodyFile, script] = [join(folder, "body.json"), join(folder, "post.lua")];
  writeFileSync(bodyFile, body);
  writeFileSync(
    script,
    `wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\nwrk.body = [==[${String(body)}]==]\n`,
  );
  return { body: bodyFile, script };
}

type Seen = Omit<Figures, "clientMicros" | "serverMicros">;

/** A load, and the processor time of its client (its start included) and of the server's processes per request. */
async function costed(serverPid: number, load: () => Promise<Seen>): Promise<Figures> {
  const before = [ownCpuMs(), treeCpuMs(serverPid)] as const;
  const seen = await load();
  const requests = seen.perSecond * SECONDS;
  const [clientMicros, serverMicros] = [ownCpuMs() - before[0], treeCpuMs(serverPid) - before[1]].map(
    (ms) => (1000 * ms) / requests,
  ) as [number, number];
  return { ...seen, clientMicros, serverMicros };
}

async function byBench(url: string, connections: number, body: string): Promise<Seen> {
  const args = ["bench", url, "--input", body, "--connections", String(connections), "--json"];
  const time = ["--warm-up", "0ms", "--stability", "0.1%", "--duration", `${SECONDS}s`];
  const { stdout } = await promisify(execFile)(process.execPath, [...SCONCE, ...args, ...time]);
  const { perSecond, latencyMs } = JSON.parse(stdout).measurements[0];
  return { perSecond, p50Ms: latencyMs.p50, p99Ms: latencyMs.p99 };
}

async function byWrk(url: string, connections: number, script: string): Promise<Seen> {
  const args = ["-t1", `-c${connections}`, `-d${SECONDS}s`, "--latency", "-s", script, url];
  const { stdout } = await promisify(execFile)("wrk", args);
  if (/Non-2xx/.test(stdout)) throw new Error(stdout);
  const percentile = (percent: number): number =>
    milliseconds(new RegExp(`^ +${percent}% +(\\S+)$`, "m").exec(stdout)?.[1]);
  return {
    perSecond: Number(/^Requests\/sec: +(\S+)$/m.exec(stdout)?.[1]),
    p50Ms: percentile(50),
    p99Ms: percentile(99),
  };
}

/** `1.23ms`, `456.00us`, `1.02s`. */
function milliseconds(text: string | undefined): number {
  const [, value, unit] = /^([\d.]+)(us|ms|s)$/.exec(text ?? "") ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? ""] ?? Number.NaN;
  return Number(value) * factor;
}

function medians(rounds: readonly Figures[]): Figures {
  const of = (key: keyof Figures): number => median(rounds.map((figures) => figures[key]));
  return {
    perSecond: of("perSecond"),
    p50Ms: of("p50Ms"),
    p99Ms: of("p99Ms"),
    clientMicros: of("clientMicros"),
    serverMicros: of("serverMicros"),
  };
}

function row({ connections, bench, wrk }: Compared): Record<string, string | number> {
  return {
    connections,
    "bench req/s": Math.round(bench.perSecond),
    "wrk req/s": Math.round(wrk.perSecond),
    ratio: (bench.perSecond / wrk.perSecond).toFixed(3),
    "bench p99 ms": bench.p99Ms.toFixed(2),
    "wrk p99 ms": wrk.p99Ms.toFixed(2),
    "p99 ratio": (bench.p99Ms / wrk.p99Ms).toFixed(3),
    "bench CPU µs": bench.clientMicros.toFixed(1),
    "wrk CPU µs": wrk.clientMicros.toFixed(1),
    "server CPU µs": `${bench.serverMicros.toFixed(1)}, ${wrk.serverMicros.toFixed(1)}`,
  };
}
