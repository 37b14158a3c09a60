import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findSandbox } from "@sconce/conformance/internals/sandbox";
import { makeCertificate, makeKey } from "@sconce/conformance/internals/security";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type ChildServer, startChildServer } from "../child-server.ts";
import { takeRounds, untilReady, type Way } from "../rest-rounds.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const LOAD = { connections: 32, rounds: 9, requests: 12_000 };

/** What it may cost beside asking without. */
interface GuardedWay extends Way {
  readonly most: number;
}

/** What asking who asks costs. Servers take turns, round by round; the processor time of the server process says more than throughput on a busy machine. */
export const security: Suite = {
  summary:
    "digits over REST /predict at 32 connections: plain, with an API key, a JSON Web Token, TLS, and workers in a sandbox, taking turns",
  async run(print) {
    const folder = mkdtempSync(join(tmpdir(), "sconce-security-"));
    const servers: ChildServer[] = [];
    try {
      const ways = await openWays(folder, servers);
      const measured = await takeRounds(ways, LOAD);
      const plain = measured.get(ways[0]!)!;
      const data = ways.map((way) => ({ name: way.name, most: way.most, ...measured.get(way)! }));
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

async function openWays(folder: string, servers: ChildServer[]): Promise<GuardedWay[]> {
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
  mkdirSync(join(folder, "root"));
  const { missing } = findSandbox({ reads: [], root: join(folder, "root") });
  const held =
    missing === undefined
      ? [{ name: "sandbox", server: await start(["--sandbox=required"]), headers: {}, most: 0.01 }]
      : [];
  const ways = [
    { name: "plain", server: plain, headers: {}, most: 0 },
    { name: "API key", server: asking, headers: { authorization: `Bearer ${key}` }, most: 0.02 },
    { name: "JSON Web Token", server: asking, headers: { authorization: `Bearer ${token}` }, most: 0.03 },
    { name: "TLS", server: secure, headers: {}, most: 0.25 },
    ...held,
  ];
  const opened = ways.map((way) => ({ ...way, origin: way.server.url }));
  for (const way of opened) await untilReady(way);
  return opened;
}
