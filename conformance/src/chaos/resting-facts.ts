import type { ChaosServer } from "./chaos-server.ts";
import { until } from "./monotonic.ts";
import { atMost, exactly, type Finding } from "./procedure.ts";
import { childrenOf, ownFiles } from "./process-facts.ts";

const PATIENCE_MS = 20_000;
const LOOK_MS = 400;

/** What a server holds when nothing is under way. */
export interface RestingFacts {
  readonly files: number;
  readonly children: number;
}

/** Looks until two looks agree and at least `children` processes are there: used spares are replaced by then. */
export async function restingFacts(server: ChaosServer, children: number): Promise<RestingFacts> {
  let facts: RestingFacts = { files: -1, children: -1 };
  await until(
    () => {
      const before = facts;
      facts = { files: filesOf(server), children: childrenOf(server.pid).length };
      return facts.files === before.files && facts.children === before.children && facts.children >= children;
    },
    { withinMs: PATIENCE_MS, everyMs: LOOK_MS },
  );
  return facts;
}

/** Waits until the server holds no more than before. */
export async function leaksSince(server: ChaosServer, before: RestingFacts): Promise<Finding[]> {
  const files = (): number => filesOf(server) - before.files;
  const children = (): number => childrenOf(server.pid).length - before.children;
  await until(() => files() <= 2 && children() === 0, { withinMs: PATIENCE_MS, everyMs: 50 });
  return [
    atMost("file descriptors more than before", files(), { max: 2 }),
    exactly("child processes more than before", children(), 0),
  ];
}

function filesOf({ pid, url }: ChaosServer): number {
  return ownFiles(pid, Number(new URL(url).port));
}
