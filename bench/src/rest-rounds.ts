import { createRestSender } from "@sconce/conformance/internals/security";
import type { ChildServer } from "./child-server.ts";
import { digitsBody } from "./digits.ts";
import { median } from "./median.ts";
import { processCpuMs } from "./process-cpu.ts";

/** One way to ask a server for a digit over REST. */
export interface Way {
  readonly name: string;
  readonly server: ChildServer;
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a round measured. */
export interface RestRound {
  readonly perSecond: number;
  /** Processor time of the server process, per request. */
  readonly cpuMicros: number;
}

export interface RestLoad {
  readonly connections: number;
  /** After one that warms up. */
  readonly rounds: number;
  /** In each round. */
  readonly requests: number;
  /** Called after each way's turn, so that what is left of it to do is not the next one's burden. Default: nothing is waited for. */
  readonly settle?: () => Promise<void>;
}

/** Measures ways in turn, round by round, so that what else the machine does spoils all of them alike; the medians of each. */
export async function takeRounds<One extends Way>(
  ways: readonly One[],
  load: RestLoad,
): Promise<ReadonlyMap<One, RestRound>> {
  const rounds = new Map<One, RestRound[]>(ways.map((way) => [way, []]));
  for (let round = 0; round <= load.rounds; round++) {
    // Each way begins a round in turn: whoever comes after a heavy one pays for warm-up that the others do not.
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(round + i) % ways.length]!;
      const measured = await measure(way, load);
      await load.settle?.();
      if (round > 0) rounds.get(way)!.push(measured);
    }
  }
  return new Map([...rounds].map(([way, measured]) => [way, figures(measured)]));
}

/** Waits until a way gets its digit. */
export async function untilReady(way: Way): Promise<void> {
  const sender = senderOf(way);
  while ((await sender.send()).outcome !== "ok") await new Promise((resolve) => setTimeout(resolve, 20));
  sender.close();
}

function senderOf({ origin, headers }: Pick<Way, "origin" | "headers">): ReturnType<typeof createRestSender> {
  return createRestSender({
    origin,
    body: {
      path: "/predict/digits",
      headers: { "content-type": "application/json", ...headers },
      bytes: Buffer.from(digitsBody().body),
    },
    timeoutMs: 30_000,
    accepts: undefined,
    // Its certificate is its own, which the handshake need not believe for what is measured here.
    access: { tls: { rejectUnauthorized: false }, headers: {} },
  });
}

/** A round over connections that are kept alive; handshakes are over when the counting begins. */
async function measure(way: Way, { connections, requests }: RestLoad): Promise<RestRound> {
  const senders = Array.from({ length: connections }, () => senderOf(way));
  try {
    await Promise.all(senders.map((sender) => sender.send()));
    let left = requests;
    const work = async (sender: (typeof senders)[number]): Promise<void> => {
      while (left-- > 0) {
        const { outcome } = await sender.send();
        if (outcome !== "ok") throw new Error(`${way.name}: ${outcome}`);
      }
    };
    const [startedMs, before] = [performance.now(), processCpuMs(way.server.pid)];
    await Promise.all(senders.map(work));
    const cpuMs = processCpuMs(way.server.pid) - before;
    return {
      perSecond: requests / ((performance.now() - startedMs) / 1000),
      cpuMicros: (cpuMs * 1000) / requests,
    };
  } finally {
    for (const sender of senders) sender.close();
  }
}

function figures(rounds: readonly RestRound[]): RestRound {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicros: median(rounds.map(({ cpuMicros }) => cpuMicros)),
  };
}
