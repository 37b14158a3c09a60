import type { Attack } from "../attack.ts";
import { exchange } from "../attack.ts";
import { grpcCall, PREFACE } from "../http2-frames.ts";
import type { Random } from "../random.ts";
import { restCases } from "../rest-cases.ts";
import { restClient } from "../rest-client.ts";

const CASES = 200;
const CONNECTIONS = 8;
const BURSTS = 40;

/** What the seed draws: bad requests of all kinds, and bytes that are none. */
export const noise: readonly Attack[] = [
  {
    group: "noise",
    name: `${CASES} bad REST requests`,
    holds: "each is refused with a 4xx and a reason",
    async run(target) {
      const client = restClient(target.url, CONNECTIONS, target.entry);
      const rest = restCases(target.random, CASES);
      let problem = "";
      const work = async (): Promise<void> => {
        for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
          const { status, text } = await client.send(next);
          const isRefused = (status >= 400 && status < 500) || status === 503;
          if (!isRefused || !/"reason":"\w+"/.test(text)) problem ||= `${next.what}: ${status}`;
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, work));
      client.close();
      return problem;
    },
  },
  {
    group: "noise",
    name: `${BURSTS} bursts of bytes`,
    holds: "closed, or left to its time-out",
    async run(target) {
      const { random } = target;
      await Promise.all(
        Array.from({ length: BURSTS }, (_, i) => {
          const first = [PREFACE, "GET / HTTP/1.1\r\n", ""][i % 3]!;
          return exchange(target, [first, random.bytes(1 + random.int(2000))], { withinMs: 500 });
        }),
      );
      return "";
    },
  },
  {
    group: "noise",
    name: `${BURSTS} gRPC messages of bytes`,
    holds: "each has a status that blames the client",
    async run(target) {
      const statuses = await Promise.all(
        Array.from({ length: BURSTS }, () => noisyCall(target.random, target)),
      );
      const strange = statuses.find((status) => !["3", "5", "8", "12", "14"].includes(status));
      return strange === undefined ? "" : `status ${strange}`;
    },
  },
];

function noisyCall(random: Random, target: Parameters<Attack["run"]>[0]): Promise<string> {
  return grpcCall(target, { message: random.bytes(1 + random.int(400)) });
}
