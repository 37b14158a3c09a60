import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { LoadResult } from "./load-result.ts";

export interface GrpcLoad {
  /** `host:port`. */
  readonly target: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** The encoded request message. */
  readonly message: Uint8Array;
  /** Requests kept in flight, over one connection. */
  readonly inFlight: number;
  readonly seconds: number;
}

const CLIENT = fileURLToPath(new URL("./grpc-load-client.js", import.meta.url));

/** Sends the same unary request for a fixed time from a process of its own. */
export async function grpcLoad(load: GrpcLoad): Promise<LoadResult> {
  const message = Buffer.from(load.message).toString("base64");
  const args = [CLIENT, load.target, load.path, message, String(load.inFlight), String(load.seconds)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return {
    tool: "grpc-js",
    connections: load.inFlight,
    ...(JSON.parse(stdout) as Omit<LoadResult, "tool" | "connections">),
  };
}
