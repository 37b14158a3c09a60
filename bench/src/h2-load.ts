import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type GrpcLoad, grpcLoad } from "./grpc-load.ts";
import type { LoadResult } from "./load-result.ts";

/**
 * The same unary gRPC request for a fixed time, from a client that is not the limit: `h2load` of nghttp2 where it is installed, else grpc-js.
 * `h2load` does not read a call's status, so a few calls are made by grpc-js before.
 */
export async function h2Load(load: GrpcLoad): Promise<LoadResult> {
  if (!hasH2Load()) return grpcLoad(load);
  const probe = await grpcLoad({ ...load, inFlight: 1, seconds: 0.1 });
  if (probe.failures > 0) throw new Error(`${load.target}: ${probe.failures} calls failed`);
  const folder = mkdtempSync(join(tmpdir(), "sconce-bench-"));
  try {
    const [body, log] = [join(folder, "body"), join(folder, "log")];
    writeFileSync(body, framed(load.message));
    const args = [
      ...["-c1", "-t1", `-m${load.inFlight}`, `-D${load.seconds}`, "-d", body, `--log-file=${log}`],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
      `http://${load.target}${load.path}`,
    ];
    const { stdout } = await promisify(execFile)("h2load", args, { maxBuffer: 2 ** 24 });
    return resultOf(stdout, readFileSync(log, "latin1"), load.inFlight);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function hasH2Load(): boolean {
  try {
    execFileSync("h2load", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** gRPC's length prefix: not compressed, and the length in four bytes. */
function framed(message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The log has a line for each request: when it began, its status, and how long it took in microseconds. */
function resultOf(report: string, log: string, inFlight: number): LoadResult {
  const lines = log.trimEnd().split("\n");
  const latenciesUs = Float64Array.from(lines, (line) => Number(line.split("\t")[2])).sort();
  const at = (share: number): number =>
    (latenciesUs[Math.floor((latenciesUs.length - 1) * share)] ?? 0) / 1000;
  const [, requestsPerSecond] = /finished in [^,]+, ([\d.]+) req\/s/.exec(report) ?? [];
  const [, failed] = /(\d+) failed/.exec(report) ?? [];
  return {
    tool: "h2load",
    connections: inFlight,
    requests: lines.length,
    requestsPerSecond: Number(requestsPerSecond),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures: Number(failed),
  };
}
