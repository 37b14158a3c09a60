import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { createJwtVerifier, type KeySource, localKeys, remoteKeys } from "./jwt-verifier.ts";

const RULES = { issuer: "https://issuer.example", audience: "sconce", wallNowMs: () => Date.UTC(2026, 5, 1) };
const NOW_S = RULES.wallNowMs() / 1000;
const first = await generateKeyPair("ES256");
const second = await generateKeyPair("ES256");
const jwks = async (pair: typeof first, kid: string): Promise<string> =>
  JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256" }] });

const CLAIMS: JWTPayload = {
  iss: RULES.issuer,
  aud: RULES.audience,
  sub: "alice",
  exp: NOW_S + 60,
  scope: "sconce:infer openid",
};
const signed = (claims: JWTPayload, pair = first, kid = "1"): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(pair.privateKey);

let keys: KeySource = localKeys(await jwks(first, "1"));
const verify = createJwtVerifier(() => keys, RULES);

test("claims become a caller", async () => {
  const caller = await verify(
    await signed({ ...CLAIMS, scp: ["sconce:admin"], sconce_models: ["res*"], sconce_rate: "2/s" }),
  );
  assert.equal(caller.tenant, "jwt:alice");
  assert.deepEqual([...caller.scopes], ["infer", "admin"]);
  assert.ok(caller.models!.includes("resnet") && !caller.models!.includes("digits"));
  assert.equal(caller.rate?.perSecond, 2);
  assert.equal(caller.expiresAtMs, (NOW_S + 90) * 1000);
  assert.equal((await verify(await signed(CLAIMS))).models, undefined);
  assert.equal(
    (await verify(await signed({ ...CLAIMS, scope: "admin infer" }))).scopes.size,
    0,
    "words of others",
  );
});

test("tokens of others, for others, too late, too early, unsigned or without a name are refused", async () => {
  const cases: readonly (readonly [string, string])[] = [
    [await signed({ ...CLAIMS, iss: "https://other.example" }), "invalid_token"],
    [await signed({ ...CLAIMS, aud: "another service" }), "invalid_token"],
    [await signed({ ...CLAIMS, exp: NOW_S - 31 }), "token_expired"],
    [await signed({ ...CLAIMS, nbf: NOW_S + 60 }), "invalid_token"],
    [await signed({ ...CLAIMS, exp: undefined as unknown as number }), "invalid_token"],
    [await signed({ ...CLAIMS, sub: "" }), "invalid_token"],
    [await signed({ ...CLAIMS, sconce_models: ["a/b"] }), "invalid_token"],
    [await signed({ ...CLAIMS, sconce_models: [] }), "invalid_token"],
    [await signed(CLAIMS, second), "invalid_token"],
    [await signed(CLAIMS, second, "2"), "invalid_token"],
    [new UnsecuredJWT(CLAIMS).encode(), "invalid_token"],
    [
      await new SignJWT(CLAIMS)
        .setProtectedHeader({ alg: "HS256", kid: "1" })
        .sign(Buffer.from(await jwks(first, "1"))),
      "invalid_token",
    ],
    [(await signed(CLAIMS)).slice(0, -4), "invalid_token"],
    ["a.b.c", "invalid_token"],
    ["x", "invalid_token"],
  ];
  for (const [token, reason] of cases)
    await assert.rejects(verify(token), { code: "unauthenticated", reason }, token);
});

test("new keys take over, and the old ones are worth nothing", async () => {
  keys = localKeys(await jwks(second, "2"));
  assert.equal((await verify(await signed(CLAIMS, second, "2"))).tenant, "jwt:alice");
  await assert.rejects(verify(await signed(CLAIMS)), { reason: "invalid_token" });
  assert.throws(() => localKeys("no JSON"), { reason: "bad_key_file" });
  assert.throws(() => localKeys('{"keys": 7}'), { reason: "bad_key_file" });
});

test("keys come from a URL once for many tokens; a URL that is dead is not the client's fault", async () => {
  let asked = 0;
  const served = await jwks(first, "1");
  const server = createServer((_request, response) => {
    asked++;
    response.setHeader("content-type", "application/json");
    response.end(served);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`);
  keys = remoteKeys(url);
  for (let i = 0; i < 3; i++) await verify(await signed(CLAIMS));
  assert.equal(asked, 1);
  for (let i = 0; i < 20; i++)
    await assert.rejects(verify(await signed(CLAIMS, second, `guess${i}`)), { reason: "invalid_token" });
  assert.ok(asked <= 2, "made-up key ids do not make the server ask again and again");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  keys = remoteKeys(url);
  await assert.rejects(verify(await signed(CLAIMS)), { code: "unavailable", reason: "keys_unavailable" });
});

test("a URL that answers with an error, or without an end, has no keys just now: tokens are not called wrong for it", async (t) => {
  let say: (response: ServerResponse) => void = (response) => response.writeHead(503).end();
  const server = createServer((_, response) => say(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`);
  const unavailable = { code: "unavailable", reason: "keys_unavailable" };
  keys = remoteKeys(url);
  await assert.rejects(verify(await signed(CLAIMS)), unavailable);
  let sentBytes = 0;
  const chunk = '{"keys":['.padEnd(65_536, " ");
  say = (response) => {
    while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
    if (!response.destroyed) response.once("drain", () => say(response));
  };
  keys = remoteKeys(url);
  await assert.rejects(verify(await signed(CLAIMS)), unavailable);
  assert.ok(sentBytes < 64 * 1024 * 1024, `${sentBytes}`);
});
