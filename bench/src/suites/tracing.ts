import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ChildServer, startChildServer } from "../child-server.ts";
import { takeRounds, untilReady, type Way } from "../rest-rounds.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { untilIdle } from "../until-idle.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const SINK = fileURLToPath(new URL("../trace-sink.js", import.meta.url));
const SAMPLED = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
const LOAD = { connections: 32, rounds: 11, requests: 3000 };

/**
 * What traces cost: off, and at two ratios with a collector that takes all; with `--before` beside another checkout. Servers take turns, round by round,
 * and a turn is over when its spans are with the collector. A second server without traces says how much two that are set alike differ.
 */
export const tracing: Suite = {
  summary: "digits over REST /predict at 32 connections: traces off, of 1 % and of 100 %, taking turns",
  async run(print, { before }) {
    const servers: ChildServer[] = [];
    const start = async (name: string, flags: readonly string[], checkout?: string): Promise<Way> => {
      const command =
        checkout === undefined
          ? SCONCE
          : [...SCONCE.slice(0, -1), join(checkout, "packages/server/bin/sconce.js")];
      const server = await startChildServer([...command, "serve", MODELS, "--port=0", ...flags]);
      servers.push(server);
      return { name, server, origin: server.url, headers: {} };
    };
    try {
      const sink = await startChildServer([SINK]);
      servers.push(sink);
      const traced = (ratio: string): readonly string[] => [
        `--traces-endpoint=${sink.url}`,
        `--trace-sampling=${ratio}`,
      ];
      const ways = [
        await start("off", []),
        await start("off again", []),
        ...(before === undefined ? [] : [await start("before", [], before)]),
        await start("1 %", traced("1%")),
        await start("100 %", traced("100%")),
      ];
      for (const way of ways) await untilReady(way);
      // At 1 % the code of traces would be cold for minutes, as it is not in a server that runs for days.
      const warming = ways.map((way) => ({ ...way, headers: { traceparent: SAMPLED } }));
      const load = { ...LOAD, settle: () => untilIdle(servers.map(({ pid }) => pid)) };
      await takeRounds(warming, { ...load, rounds: 1 });
      const measured = await takeRounds(ways, load);
      const off = measured.get(ways[0]!)!;
      const data = ways.map((way) => ({ name: way.name, ...measured.get(way)! }));
      print(
        table(
          data.map(({ name, perSecond, cpuMicros }) => ({
            traces: name,
            "req/s": Math.round(perSecond),
            "cpu µs": cpuMicros.toFixed(1),
            "cpu more": `${((cpuMicros / off.cpuMicros - 1) * 100).toFixed(1)} %`,
            "req/s less": `${((1 - perSecond / off.perSecond) * 100).toFixed(1)} %`,
          })),
        ),
      );
      return data;
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
};
