import { join } from "node:path";
import { SCONCE } from "../sconce-command.ts";
import type { Peer } from "./peer.ts";
import { protocolRequest } from "./protocol-request.ts";

export interface SconcePeerOptions {
  /** Another built checkout than this one. */
  readonly checkout?: string | undefined;
  /** Whether it finds what starts before it have kept. Default: it does. */
  readonly isFirstStart?: boolean;
}

/** This checkout's server, or that of another built checkout. */
export function sconcePeer(name: string, { checkout, isFirstStart = false }: SconcePeerOptions = {}): Peer {
  const command =
    checkout === undefined
      ? SCONCE
      : [...SCONCE.slice(0, -1), join(checkout, "packages/server/bin/sconce.js")];
  return {
    name,
    isFirstStart,
    grpc: "on the port of REST",
    settings: ({ maxBatchSize }) => `its defaults, and --max-batch-size ${maxBatchSize}`,
    command: ({ maxBatchSize }, { program }, { http }) => ({
      program: process.execPath,
      ...(isFirstStart && { env: { SCONCE_TRANSLATION_CACHE: "off" } }),
      args: [
        ...command,
        "serve",
        program,
        "--port",
        String(http),
        "--log-level",
        "error",
        "--max-batch-size",
        String(maxBatchSize),
      ],
    }),
    request: (workload, files) => protocolRequest(`/v2/models/${workload.model}/infer`, workload, files),
  };
}
