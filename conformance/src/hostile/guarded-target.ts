import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { makeCertificate, makeKey } from "../internals/security.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import type { Entry, Target } from "./attack.ts";
import { DIGITS_BODY, DIGITS_FLAGS } from "./digits-target.ts";
import { random } from "./random.ts";
import { answerTo } from "./witness.ts";

/** Against servers that never get ready. */
const READY_LIMIT_MS = 120_000;

/** The same server behind TLS and keys, in ways to come in: with a key for inference, and as strangers. */
export interface GuardedTarget {
  readonly insider: Target;
  readonly stranger: Target;
  readonly stop: ServerProcess["stop"];
}

export async function startGuardedTarget(seed: number): Promise<GuardedTarget> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-guarded-"));
  const write = (name: string, content: Buffer | string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const ca = makeCertificate({ name: "CA", isCa: true });
  const { cert, key } = makeCertificate({ name: "localhost", by: ca });
  const wishes = { models: ["*"], scopes: ["infer"], created: "" } as const;
  const infer = makeKey({ name: "infer", ...wishes });
  const good = makeKey({ name: "good", ...wishes });
  const other = makeKey({ name: "other", ...wishes, models: ["other"] });
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "1", alg: "ES256" };
  const server = await startServerProcess(
    [
      MODELS_FOLDER,
      ...DIGITS_FLAGS,
      ...["--tls-cert", write("cert.pem", cert), "--tls-key", write("key.pem", key)],
      ...["--api-keys", write("keys.json", JSON.stringify({ keys: [infer, good, other].map(recordOf) }))],
      ...["--jwt-keys", write("jwks.json", JSON.stringify({ keys: [jwk] }))],
      ...["--jwt-issuer", "https://issuer.example", "--jwt-audience", "sconce"],
      ...["--model-control", "explicit", "--load-models", "digits"],
    ],
    { until: "listening" },
  );
  const entry: Entry = { ca: ca.cert, key: infer.key, goodKey: good.key, otherKey: other.key };
  const insider: Target = {
    url: server.url,
    port: Number(new URL(server.url).port),
    pid: server.pid,
    model: "digits",
    body: DIGITS_BODY,
    random: random(seed),
    entry,
    output: () => server.output(),
  };
  const stop: ServerProcess["stop"] = (signal) =>
    server.stop(signal).finally(() => rmSync(folder, { recursive: true }));
  await becomesReady(insider);
  return { insider, stranger: { ...insider, entry: { ...entry, key: undefined } }, stop };
}

const recordOf = ({ record }: ReturnType<typeof makeKey>): object => record;

async function becomesReady(target: Target): Promise<void> {
  const deadlineMs = performance.now() + READY_LIMIT_MS;
  while ((await answerTo(target, { path: "/v2/health/ready" })).status !== 200) {
    if (performance.now() > deadlineMs) throw new Error("the server did not get ready");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
