import type { ServerConfig } from "./server-options.ts";

/** An edge process is worth its memory where the models leave it a core. */
const CORES_PER_EDGE = 4;

/** How many processes speak with clients; 1: the server process itself. */
export function edgeCount({ edges }: Pick<ServerConfig, "edges">, cores: number): number {
  return edges === "auto" ? Math.max(1, Math.floor(cores / CORES_PER_EDGE)) : edges;
}
