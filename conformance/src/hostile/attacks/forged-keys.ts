import { createHmac } from "node:crypto";
import { type Attack, exchange, statusesOf, type Target } from "../attack.ts";

const FLOOD = 2_000;
const FAR_FUTURE_S = 4_000_000_000;

/** What is believed of a token by who believes everything. */
const CLAIMS = {
  iss: "https://issuer.example",
  aud: "sconce",
  sub: "mallory",
  scope: "sconce:infer sconce:admin",
  exp: FAR_FUTURE_S,
};

const part = (value: object | string): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function token(header: object, claims: object = CLAIMS, signature = "AAAA"): string {
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** A token signed with what everybody may know, as if it were a secret. */
function confused(publicKey: string): string {
  const signed = `${part({ alg: "HS256", typ: "JWT", kid: "1" })}.${part(CLAIMS)}`;
  return `${signed}.${createHmac("sha256", publicKey).update(signed).digest("base64url")}`;
}

const ES256 = { alg: "ES256", kid: "1" };
const FORGED: ReadonlyArray<readonly [name: string, authorization: () => string]> = [
  ["no algorithm", () => `Bearer ${token({ alg: "none" }, CLAIMS, "")}`],
  ["no algorithm in other letters", () => `Bearer ${token({ alg: "nOnE" }, CLAIMS, "")}`],
  ["a signature of nothing", () => `Bearer ${token(ES256, CLAIMS, "")}`],
  ["a signature of zeros", () => `Bearer ${token(ES256, CLAIMS, Buffer.alloc(64).toString("base64url"))}`],
  ["a secret in place of a key", () => `Bearer ${confused("1")}`],
  ["a key that it brings", () => `Bearer ${token({ ...ES256, jwk: { kty: "oct", k: "AAAA" } })}`],
  [
    "a URL of keys",
    () => `Bearer ${token({ ...ES256, jku: "http://169.254.169.254/keys", x5u: "file:///etc/passwd" })}`,
  ],
  ["a key's id that is a path", () => `Bearer ${token({ alg: "ES256", kid: "../../../../dev/null" })}`],
  ["a key's id of SQL", () => `Bearer ${token({ alg: "ES256", kid: "' UNION SELECT 'x" })}`],
  ["extensions that must be known", () => `Bearer ${token({ ...ES256, crit: ["b64"], b64: false })}`],
  ["a deep header", () => `Bearer ${part(`${'{"a":'.repeat(900)}1${"}".repeat(900)}`)}.${part(CLAIMS)}.AAAA`],
  [
    "a header that pollutes",
    () => `Bearer ${part('{"__proto__":{"alg":"none"},"alg":"ES256"}')}.${part(CLAIMS)}.AAAA`,
  ],
  ["five parts", () => `Bearer ${part({ alg: "RSA-OAEP", enc: "A256GCM", zip: "DEF" })}.a.b.c.d`],
  ["dots", () => `Bearer ${".".repeat(8_000)}`],
  ["8 KiB", () => `Bearer ${"A".repeat(8_192)}`],
  ["more than 8 KiB", () => `Bearer ${"A".repeat(9_000)}`],
  ["spaces", () => `Bearer${" ".repeat(8_000)}`],
  ["spaces and no end", () => `Bearer ${" ".repeat(4_000)}${"=".repeat(4_000)}\u00e9`],
  ["nothing", () => "Bearer"],
  ["two tokens", () => "Bearer a, Bearer b"],
  ["another scheme", () => "Negotiate AAAA"],
];

/** Tokens and keys that are made up: one by one, and many different ones at once. */
export const forgedKeys: readonly Attack[] = [
  ...FORGED.map(([name, authorization]) =>
    attack(name, "401, or that the header is too long", async (target) => {
      const [status] = statusesOf(await exchange(target, [ask([authorization()])]));
      return status === 401 || status === 431 ? "" : `answered with ${status ?? "nothing"}`;
    }),
  ),
  attack("two Authorization headers, one of them right", "400 or 401", async (target) => {
    const heard = await exchange(target, [
      head([`Authorization: Bearer wrong`, `Authorization: Bearer ${target.entry!.goodKey}`]),
    ]);
    const [status] = statusesOf(heard);
    return status === 400 || status === 401 ? "" : `answered with ${status ?? "nothing"}`;
  }),
  attack(`${FLOOD} keys, each another, on one connection`, "401 each, and nobody waits", (target) =>
    flood(target, (i) => `sconce_${i.toString(16).padStart(12, "0")}_${"A".repeat(43)}`),
  ),
  attack(`${FLOOD} tokens, each another, on one connection`, "401 each, and nobody waits", (target) =>
    flood(target, (i) =>
      token(ES256, { ...CLAIMS, sub: String(i) }, Buffer.alloc(64, i).toString("base64url")),
    ),
  ),
  attack("lines for the log in the name of a model", "403, and the log spells them out", async (target) => {
    const name = encodeURIComponent('x\n{"audit":"load","by":"key good","outcome":"ok"}\u001b[2J');
    const heard = await exchange(target, [
      `POST /v2/repository/models/${name}/load HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${target.entry!.otherKey}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    ]);
    const [status] = statusesOf(heard);
    if (status !== 403 && status !== 400) return `answered with ${status ?? "nothing"}`;
    const output = target.output?.() ?? "";
    return output.includes("\u001b[2J") || /^\{"audit"/m.test(output) ? "the log has them as they are" : "";
  }),
];

function attack(name: string, holds: string, run: Attack["run"]): Attack {
  return {
    group: "forged keys",
    name,
    holds,
    run: async (target) => (target.entry === undefined ? "" : run(target)),
  };
}

/** Without the attacker's own key, which goes behind the Host line alone. */
function head(lines: readonly string[]): string {
  return `GET /v2/models HTTP/1.1\r\nhost: localhost\r\n${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`;
}

function ask([authorization]: readonly [string]): string {
  return head([`Authorization: ${authorization}`]);
}

async function flood(target: Target, keyOf: (i: number) => string): Promise<string> {
  const requests = Array.from({ length: FLOOD }, (_, i) => {
    const isLast = i === FLOOD - 1;
    return `GET /v2/models HTTP/1.1\r\nhost: localhost\r\nAuthorization: Bearer ${keyOf(i)}\r\n${isLast ? "Connection: close\r\n" : ""}\r\n`;
  });
  const statuses = statusesOf(await exchange(target, [requests.join("")]));
  // Only so many are verified at a time.
  const strange = statuses.find((status) => status !== 401 && status !== 503);
  if (strange !== undefined) return `answered with ${strange}`;
  return statuses.length === FLOOD ? "" : `${statuses.length} of ${FLOOD} were answered`;
}
