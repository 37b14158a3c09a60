import { join } from "node:path";
import { type ChildServer, isReady, startChildServer } from "./child-server.ts";
import { SCONCE } from "./sconce-command.ts";
import type { SuiteOptions } from "./suite.ts";

export interface Servers {
  /** By name: `sconce`, `before` when another checkout was named, and `bare`. */
  readonly urls: Readonly<Record<string, string>>;
  /** By URL: the process that serves it. */
  readonly pids: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Starts this checkout's server, one of another checkout if asked for, and a bare one to compare them with. */
export async function startServers(
  bareProgram: string,
  models: string,
  { before }: SuiteOptions,
): Promise<Servers> {
  const args = ["serve", models, "--port", "0", "--log-level", "error"];
  const started: Record<string, ChildServer> = {
    sconce: await startChildServer([...SCONCE, ...args], isReady),
  };
  if (before !== undefined) {
    const command = [...SCONCE.slice(0, -1), join(before, "packages/server/bin/sconce.js")];
    started["before"] = await startChildServer([...command, ...args], isReady);
  }
  started["bare"] = await startChildServer([bareProgram]);
  return {
    urls: Object.fromEntries(Object.entries(started).map(([name, { url }]) => [name, url])),
    pids: new Map(Object.values(started).map(({ url, pid }) => [url, pid])),
    stop: async () => {
      await Promise.all(Object.values(started).map((server) => server.stop()));
    },
  };
}
