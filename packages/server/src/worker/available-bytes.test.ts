import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { until } from "../base/until.kit.ts";
import { isReadable, readAvailable } from "./available-bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "available-"));
after(() => rmSync(folder, { recursive: true }));

/** Both ends of a connection; nobody reads from the first. */
async function pair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true }).listen(join(folder, `s${Math.random()}`));
  await once(server, "listening");
  const far = createConnection(server.address() as string);
  const [near] = (await once(server, "connection")) as [Socket];
  server.close();
  return [near, far];
}

test("reads what is there, and says when nothing is and when nothing will be", async () => {
  const [near, far] = await pair();
  const target = new Uint8Array(8);
  assert.equal(isReadable(near), true);
  assert.equal(readAvailable(near, target), 0);
  far.write("abc");
  await until("it is there", () => readAvailable(near, target) === 3);
  assert.equal(Buffer.from(target.subarray(0, 3)).toString(), "abc");
  far.end();
  await until("the end is there", () => readAvailable(near, target) === undefined);
  near.destroy();
});

test("never reads from what has a closed socket's number now", async () => {
  const [near, far] = await pair();
  near.destroy();
  far.destroy();
  await once(near, "close");
  const file = join(folder, "secret");
  writeFileSync(file, "of somebody else");
  // Numbers are given again, the lowest first.
  const others = Array.from({ length: 20 }, () => openSync(file, "r"));
  assert.equal(isReadable(near), false);
  assert.equal(readAvailable(near, new Uint8Array(8)), undefined);
  for (const fd of others) closeSync(fd);
});

test("what is no socket is not read", () => {
  assert.equal(isReadable(new PassThrough()), false);
  assert.equal(readAvailable(new PassThrough(), new Uint8Array(8)), undefined);
});
