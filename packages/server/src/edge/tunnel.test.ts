import assert from "node:assert/strict";
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { until } from "../base/until.kit.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";

/** More than Node 20's library bears at once. */
const MANY = 1500;
const BURST = 500;

interface Rig {
  readonly tunnel: Tunnel;
  readonly clock: ManualClock;
  /** Streams whose end somebody else waits for. */
  readonly held: ServerHttp2Stream[];
  aborted(): number;
}

async function dig(): Promise<Rig> {
  const held: ServerHttp2Stream[] = [];
  let aborted = 0;
  const serve = (session: ServerHttp2Session): void => {
    session.on("error", () => {});
    session.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      stream.on("aborted", () => {
        aborted += 1;
      });
      stream.respond({ ":status": 200 });
      if (headers[":path"] === "/held") held.push(stream);
      else stream.end("here");
    });
  };
  const server = createServer((socket) => serve(performServerHandshake(socket)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const clock = new ManualClock();
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const tunnel = openTunnel(socket, clock);
  after(() => {
    socket.destroy();
    server.close();
  });
  return { tunnel, clock, held, aborted: () => aborted };
}

const ask = ({ tunnel }: Rig, path: string): ReturnType<Tunnel["request"]> =>
  tunnel.request({ ":method": "GET", ":path": path }, { endStream: true });

test("clients that leave in crowds, 100 requests each, do not end the way to the server process", async () => {
  const rig = await dig();
  for (let i = 0; i < MANY; i += 100) {
    const streams = Array.from({ length: 100 }, () => ask(rig, "/held"));
    await until("they are there", () => rig.held.length === i + 100);
    for (const stream of streams) rig.tunnel.giveUp(stream);
  }
  await until("as many as may be are given up", () => rig.aborted() === BURST);
  assert.equal(await text(ask(rig, "/")), "here");
  rig.clock.advance(10_000);
  await until("more are, as time passes", () => rig.aborted() === BURST + 200);
  // What ends meanwhile need not be given up.
  for (const stream of rig.held) if (!stream.destroyed) stream.end();
  assert.equal(await text(ask(rig, "/")), "here");
});

test("a request that has ended is not given up", async () => {
  const rig = await dig();
  for (let i = 0; i < MANY; i++) {
    const stream = ask(rig, "/");
    assert.equal(await text(stream), "here");
    rig.tunnel.giveUp(stream);
  }
  assert.equal(rig.clock.pendingTimers, 0);
});
