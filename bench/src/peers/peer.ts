import type { ModelFiles, Workload } from "./workload.ts";

/** A request as this server wants it, and how to read its answer. */
export interface PeerRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The values of the workload's output. */
  read(answer: Response): Promise<Float32Array>;
}

/** A server that people use for the same purpose, with one model. */
export interface Peer {
  readonly name: string;
  /** Whether every start of it is as the first one, which finds nothing that others have kept. */
  readonly isFirstStart?: boolean;
  /** How it is set up, in a line for the reader of the results. */
  settings(workload: Workload): string;
  /** The command that serves a workload's model on a free port of this machine, and its environment beside our own. */
  command(workload: Workload, files: ModelFiles, ports: PeerPorts): PeerCommand | Promise<PeerCommand>;
  request(workload: Workload, files: ModelFiles): PeerRequest;
  /** Where it speaks gRPC. */
  readonly grpc: "on the port of REST" | "on a port of its own" | "nowhere";
}

export interface PeerPorts {
  readonly http: number;
  readonly grpc: number;
}

export interface PeerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What it needs and writes, in a folder of its own that goes when it has ended. */
  readonly folder?: string;
}
