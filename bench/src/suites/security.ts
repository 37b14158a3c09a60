import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRestSender, makeCertificate, makeKey } from "@sconce/conformance/internals/security";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type ChildServer, startChildServer } from "../child-server.ts";
import { digitsBody } from "../digits.ts";
import { median } from "../median.ts";
import { processCpuMs } from "../process-cpu.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const CONNECTIONS = 32;
const ROUNDS = 9;
const ROUND_REQUESTS = 12_000;

/** One way to ask, and what it may cost beside asking without. */
interface Way {
  readonly name: string;
  readonly server: ChildServer;
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly most: number;
}

interface Round {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** What asking who asks costs. Servers take turns, round by round; the processor time of the server process says more than throughput on a busy machine. */
export const security: Suite = {
  summary:
    "digits over REST /predict at 32 connections: plain, with an API key, a JSON Web Token, and TLS, taking turns",
  async run(print) {
    const folder = mkdtempSync(join(tmpdir(), "sconce-security-"));
    const servers: ChildServer[] = [];
    try {
      const ways = await openWays(folder, servers);
      const rounds = new Map<Way, Round[]>(ways.map((way) => [way, []]));
      for (let round = 0; round <= ROUNDS; round++) {
        for (const way of ways) {
          const measured = await measure(way);
          if (round > 0) rounds.get(way)!.push(measured);
        }
      }
      const plain = figures(rounds.get(ways[0]!)!);
      const data = ways.map((way) => ({ name: way.name, most: way.most, ...figures(rounds.get(way)!) }));
      print(
        table(
          data.map(({ name, perSecond, cpuMicros, most }) => ({
            way: name,
            "req/s": Math.round(perSecond),
            "cpu µs": cpuMicros.toFixed(1),
            "cpu more": `${((cpuMicros / plain.cpuMicros - 1) * 100).toFixed(1)} %`,
            "req/s less": `${((1 - perSecond / plain.perSecond) * 100).toFixed(1)} %`,
            "may cost": `${most * 100} %`,
          })),
        ),
      );
      return data;
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(folder, { recursive: true });
    }
  },
};

async function openWays(folder: string, servers: ChildServer[]): Promise<Way[]> {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const { key, record } = makeKey({ name: "bench", models: ["*"], scopes: ["infer"], created: "" });
  const issuer = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(issuer.publicKey)), kid: "1", alg: "ES256" };
  const claims = {
    iss: "bench",
    aud: "sconce",
    sub: "bench",
    scope: "sconce:infer",
    exp: Date.now() / 1000 + 3600,
  };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: "ES256", kid: "1" })
    .sign(issuer.privateKey);
  const own = makeCertificate({ name: "bench" });
  const guarded = [
    `--api-keys=${write("keys.json", JSON.stringify({ keys: [record] }))}`,
    `--jwt-keys=${write("jwks.json", JSON.stringify({ keys: [jwk] }))}`,
    "--jwt-issuer=bench",
    "--jwt-audience=sconce",
  ];
  const tls = [`--tls-cert=${write("own.pem", own.cert)}`, `--tls-key=${write("own.key", own.key)}`];
  const start = async (flags: readonly string[]): Promise<ChildServer> => {
    const server = await startChildServer([...SCONCE, "serve", MODELS, "--port=0", ...flags]);
    servers.push(server);
    return server;
  };
  const [plain, asking, secure] = [await start([]), await start(guarded), await start(tls)];
  const ways = [
    { name: "plain", server: plain, headers: {}, most: 0 },
    { name: "API key", server: asking, headers: { authorization: `Bearer ${key}` }, most: 0.02 },
    { name: "JSON Web Token", server: asking, headers: { authorization: `Bearer ${token}` }, most: 0.03 },
    { name: "TLS", server: secure, headers: {}, most: 0.25 },
  ];
  const opened = ways.map((way) => ({ ...way, origin: way.server.url }));
  for (const way of opened) await untilReady(way);
  return opened;
}

async function untilReady(way: Way): Promise<void> {
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
async function measure(way: Way): Promise<Round> {
  const senders = Array.from({ length: CONNECTIONS }, () => senderOf(way));
  try {
    await Promise.all(senders.map((sender) => sender.send()));
    let left = ROUND_REQUESTS;
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
      perSecond: ROUND_REQUESTS / ((performance.now() - startedMs) / 1000),
      cpuMicros: (cpuMs * 1000) / ROUND_REQUESTS,
    };
  } finally {
    for (const sender of senders) sender.close();
  }
}

function figures(rounds: readonly Round[]): Round {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMicros: median(rounds.map(({ cpuMicros }) => cpuMicros)),
  };
}
