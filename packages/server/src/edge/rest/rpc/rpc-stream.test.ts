import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RpcStream } from "./rpc-stream.ts";

const CONNECTION = { destroyed: false, socket: { bytesWritten: 0 }, destroy() {} };

test("nothing is lost of a call whose caller takes a while to be known", async () => {
  const body = Readable.from([Buffer.from("one"), Buffer.from("two")]);
  const source = { body, read: (bytes: Buffer) => bytes, readRest: () => Buffer.alloc(0) };
  const stream = new RpcStream(source, { message() {}, end() {} }, CONNECTION);
  stream.start(assert.fail);
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  const read: string[] = [];
  stream.on("data", (bytes: Buffer) => read.push(bytes.toString()));
  await new Promise<void>((resolve) => stream.on("end", resolve));
  assert.deepEqual(read, ["one", "two"]);
});
