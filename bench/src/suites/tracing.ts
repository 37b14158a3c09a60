import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ChildServer, startChildServer } from "../child-server.ts";
import { median } from "../median.ts";
import { type RestRound, takeRounds, untilReady, type Way } from "../rest-rounds.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { untilIdle } from "../until-idle.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const SINK = fileURLToPath(new URL("../trace-sink.js", import.meta.url));
const SAMPLED = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
const LOAD = { connections: 32, rounds: 11, requests: 3000 };

/** Two servers that are set alike differ by a few per cent, as their code was compiled: of each way there are as many. */
const COPIES = 3;

interface Kind {
  readonly name: string;
  readonly flags: readonly string[];
  readonly checkout?: string;
}

/**
 * What traces cost: off, and at two ratios with a collector that takes all; with `--before` beside another checkout at 1 %. Servers take turns, round by
 * round, and a turn is over when its spans are with the collector.
 */
export const tracing: Suite = {
  summary: "digits over REST /predict at 32 connections: traces off, of 1 % and of 100 %, taking turns",
  async run(print, { before }) {
    const servers: ChildServer[] = [];
    try {
      const sink = await startChildServer([SINK]);
      servers.push(sink);
      const traced = (ratio: string): readonly string[] => [
        `--traces-endpoint=${sink.url}`,
        `--trace-sampling=${ratio}`,
      ];
      const kinds: Kind[] = [
        { name: "off", flags: [] },
        ...(before === undefined ? [] : [{ name: "before, 1 %", flags: traced("1%"), checkout: before }]),
        { name: "1 %", flags: traced("1%") },
        { name: "100 %", flags: traced("100%") },
      ];
      const ways: Way[] = [];
      // In turn, so that none of a kind has the warmer half of the run.
      for (let copy = 0; copy < COPIES; copy++) {
        for (const kind of kinds) {
          const way = await start(kind);
          servers.push(way.server);
          ways.push(way);
        }
      }
      for (const way of ways) await untilReady(way);
      const load = { ...LOAD, settle: () => untilIdle(servers.map(({ pid }) => pid)) };
      // At 1 % the code of traces would be cold for minutes, as it is not in a server that runs for days.
      const warming = ways.map((way) => ({ ...way, headers: { traceparent: SAMPLED } }));
      await takeRounds(warming, { ...load, rounds: 1 });
      const measured = await takeRounds(ways, load);
      const data = kinds.map(({ name }) => ofKind(name, ways, measured));
      print(table(data.map((figures) => row(figures, data[0]!))));
      return data;
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};

async function start({ name, flags, checkout }: Kind): Promise<Way> {
  const command =
    checkout === undefined
      ? SCONCE
      : [...SCONCE.slice(0, -1), join(checkout, "packages/server/bin/sconce.js")];
  const server = await startChildServer([
    ...command,
    "serve",
    MODELS,
    "--port=0",
    "--log-level=error",
    ...flags,
  ]);
  return { name, server, origin: server.url, headers: {} };
}

interface KindFigures extends RestRound {
  readonly name: string;
  /** Of the servers of this kind, from the least to the most. */
  readonly cpuOfEach: readonly number[];
}

/** The median of the servers of one kind. */
function ofKind(name: string, ways: readonly Way[], measured: ReadonlyMap<Way, RestRound>): KindFigures {
  const rounds = ways.filter((way) => way.name === name).map((way) => measured.get(way)!);
  const cpuOfEach = rounds.map(({ cpuMicros }) => cpuMicros).sort((a, b) => a - b);
  const perSecond = median(rounds.map((round) => round.perSecond));
  return { name, perSecond, cpuMicros: median(cpuOfEach), cpuOfEach };
}

function row(
  { name, perSecond, cpuMicros, cpuOfEach }: KindFigures,
  off: KindFigures,
): Record<string, string> {
  return {
    traces: name,
    "req/s": String(Math.round(perSecond)),
    "cpu µs": cpuMicros.toFixed(1),
    "of each": cpuOfEach.map((micros) => micros.toFixed(1)).join(" "),
    "cpu more": `${((cpuMicros / off.cpuMicros - 1) * 100).toFixed(1)} %`,
    "req/s less": `${((1 - perSecond / off.perSecond) * 100).toFixed(1)} %`,
  };
}
