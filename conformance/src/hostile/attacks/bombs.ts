import { deflateSync, gzipSync } from "node:zlib";
import { type Attack, exchange, inferPost, statusesOf, type Target } from "../attack.ts";
import { grpcCall } from "../http2-frames.ts";

/** What a bomb becomes: many times what the servers here take. */
const INFLATED_BYTES = 32 * 1024 * 1024;
const TIMES = 6;

/** Made once, when the first bomb is wanted. */
let made: { readonly gzip: Buffer; readonly deflate: Buffer } | undefined;

function packed(): { readonly gzip: Buffer; readonly deflate: Buffer } {
  if (made === undefined) {
    const spaces = Buffer.alloc(INFLATED_BYTES, 0x20);
    made = { gzip: gzipSync(spaces), deflate: deflateSync(spaces) };
  }
  return made;
}

interface Bomb {
  readonly name: string;
  body(): Buffer;
  readonly coding: string;
}

const BOMBS: readonly Bomb[] = [
  { name: "gzip, a thousandfold", body: () => packed().gzip, coding: "gzip" },
  { name: "deflate, a thousandfold", body: () => packed().deflate, coding: "deflate" },
  { name: "gzip in gzip", body: () => gzipSync(packed().gzip), coding: "gzip" },
  {
    name: "gzip after gzip",
    body: () => Buffer.concat([gzipSync(Buffer.from("{}")), packed().gzip]),
    coding: "gzip",
  },
  { name: "gzip without its end", body: () => packed().gzip.subarray(0, -8), coding: "gzip" },
  { name: "two codings", body: () => gzipSync(packed().gzip), coding: "gzip, gzip" },
  { name: "Brotli", body: () => packed().gzip, coding: "br" },
];

export const bombs: readonly Attack[] = [
  ...BOMBS.map(({ name, body, coding }) => ({
    group: "bombs",
    name: `REST: ${name}`,
    holds: "4xx or 503 each time, and memory stays",
    run: (target: Target) => manyTimes(() => refusedByRest(target, body(), coding)),
  })),
  {
    group: "bombs",
    name: "gRPC: gzip, a thousandfold",
    holds: "RESOURCE_EXHAUSTED or UNAVAILABLE each time, and memory stays",
    run: (target) =>
      manyTimes(async () => {
        const status = await grpcCall(target, { message: packed().gzip, isCompressed: true });
        return status === "8" || status === "14" ? "" : `status ${status}`;
      }),
  },
  {
    group: "bombs",
    name: "gRPC: a message that announces 4 GiB",
    holds: "refused at its prefix",
    async run(target) {
      const status = await grpcCall(target, { message: Buffer.alloc(0), announced: 0xffffffff });
      return status === "8" ? "" : `status ${status}`;
    },
  },
];

async function refusedByRest(target: Target, body: Buffer, coding: string): Promise<string> {
  const heard = await exchange(target, [inferPost(target, body, `Content-Encoding: ${coding}\r\n`)], {
    withinMs: 60_000,
  });
  const [status = 0] = statusesOf(heard);
  // Several at once may use up the memory for requests in flight before one of them is found out.
  return (status >= 400 && status < 500) || status === 503 ? "" : `answered with ${status || "nothing"}`;
}

async function manyTimes(once: () => Promise<string>): Promise<string> {
  const problems = await Promise.all(Array.from({ length: TIMES }, once));
  return problems.find((problem) => problem !== "") ?? "";
}
