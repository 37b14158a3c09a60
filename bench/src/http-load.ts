import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import autocannon from "autocannon";
import type { LoadResult } from "./load-result.ts";

export interface HttpLoad {
  readonly url: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

/** Posts the same body over keep-alive connections for a fixed time: with wrk where it is installed, else with autocannon. */
export function httpLoad(load: HttpLoad): Promise<LoadResult> {
  return hasWrk() ? wrkLoad(load) : autocannonLoad(load);
}

function hasWrk(): boolean {
  try {
    execFileSync("wrk", ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // `wrk --version` prints and exits 1; only a missing program has no exit status.
    return (error as { status?: number | null }).status != null;
  }
}

const WRK_REPORT = `
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('REPORT {"requests":%d,"us":%d,"p50":%d,"p99":%d,"failures":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`;

async function wrkLoad(load: HttpLoad): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-bench-"));
  try {
    writeFileSync(join(folder, "body"), load.body);
    const headers = Object.entries(load.headers).map(
      ([name, value]) => `wrk.headers["${name}"] = "${value}"`,
    );
    const script = [
      `local file = io.open("${join(folder, "body")}", "rb")`,
      'wrk.method = "POST"',
      'wrk.body = file:read("*a")',
      ...headers,
      WRK_REPORT,
    ].join("\n");
    writeFileSync(join(folder, "load.lua"), script);
    const args = [
      "-t1",
      `-c${load.connections}`,
      `-d${load.seconds}s`,
      "--timeout",
      "60s",
      "-s",
      join(folder, "load.lua"),
      load.url,
    ];
    const { stdout } = await promisify(execFile)("wrk", args);
    const report = JSON.parse(/REPORT (.*)/.exec(stdout)?.[1] ?? "{}") as Record<string, number>;
    return {
      tool: "wrk",
      connections: load.connections,
      requests: report["requests"]!,
      requestsPerSecond: (report["requests"]! / report["us"]!) * 1e6,
      p50Ms: report["p50"]! / 1000,
      p99Ms: report["p99"]! / 1000,
      failures: report["failures"]!,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function autocannonLoad(load: HttpLoad): Promise<LoadResult> {
  const result = await autocannon({
    url: load.url,
    method: "POST",
    headers: { ...load.headers },
    body: Buffer.from(load.body),
    connections: load.connections,
    duration: load.seconds,
  });
  return {
    tool: "autocannon",
    connections: load.connections,
    requests: result.requests.total,
    requestsPerSecond: result.requests.total / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failures: result.errors + result.timeouts + result.non2xx,
  };
}
