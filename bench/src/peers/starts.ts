import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../median.ts";
import { treePssBytes, untilIdle } from "../process-tree.ts";
import type { AbsentPeer } from "./all-peers.ts";
import type { Peer } from "./peer.ts";
import { type PeerStart, startPeer } from "./running-peer.ts";

const KEEPING_MS = 2000;

/** How a server started, alone. */
export interface StartFigures {
  readonly server: string;
  readonly firstAnswerMs: number;
  readonly pssBytes: number;
}

export interface Starts {
  readonly able: readonly Peer[];
  readonly absent: readonly AbsentPeer[];
  readonly figures: readonly StartFigures[];
}

/** Each server starts alone, `rounds` times in turn. One that does not is left out from then on, with the reason; Sconce's is thrown. */
export async function startsOf(
  all: readonly Peer[],
  start: PeerStart,
  { rounds, say }: { readonly rounds: number; say(line: string): void },
): Promise<Starts> {
  await keepFirst(all.filter(isKeeping), start);
  const starts = new Map(all.map((peer) => [peer, { firstAnswersMs: [] as number[], pssBytes: 0 }]));
  const absent: AbsentPeer[] = [];
  for (let round = 0; round < rounds; round++) {
    say(`starts of each alone: round ${round + 1} of ${rounds}`);
    for (const [peer, figures] of starts) {
      try {
        const server = await startPeer(peer, start);
        figures.firstAnswersMs.push(server.startMs);
        figures.pssBytes = treePssBytes(server.pid);
        await server.stop();
      } catch (error) {
        if (isSconce(peer)) throw error;
        starts.delete(peer);
        absent.push({ server: peer.name, why: `${(error as Error).message}: ${reasonOf(error)}` });
      }
    }
  }
  const figures = [...starts].map(([{ name }, { firstAnswersMs, pssBytes }]) => ({
    server: name,
    firstAnswerMs: median(firstAnswersMs),
    pssBytes,
  }));
  return { able: [...starts.keys()], absent, figures };
}

/** What Sconce keeps for its next start it makes when it has nothing else to do. */
async function keepFirst(all: readonly Peer[], start: PeerStart): Promise<void> {
  for (const peer of all) {
    const server = await startPeer(peer, start);
    await sleep(KEEPING_MS);
    await untilIdle(server.pid);
    await server.stop();
  }
}

function isKeeping(peer: Peer): boolean {
  return isSconce(peer) && peer.isFirstStart !== true;
}

function isSconce({ name }: Peer): boolean {
  return name.startsWith("sconce") || name === "before";
}

function reasonOf(error: unknown): string {
  const { cause } = error as Error;
  return cause instanceof Error ? cause.message : String(cause);
}
