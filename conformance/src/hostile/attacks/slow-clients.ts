import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { type Attack, asCaller, dial, type Target } from "../attack.ts";
import { callHeaders, FRAME, frame, headerBlock, PREFACE } from "../http2-frames.ts";

const SOCKETS = 40;
const STEPS = 20;
const STEP_MS = 40;

/** What an idle or trickling client sends at first, and with every step. */
type Trickle = readonly [name: string, first: (target: Target) => Buffer | string, step: string];

const TRICKLES: readonly Trickle[] = [
  ["says nothing", () => "", ""],
  ["sends a request line letter by letter", () => "", "G"],
  ["never ends its headers", () => "GET /v2 HTTP/1.1\r\nHost: localhost\r\n", "X: 1\r\n"],
  [
    "sends a body byte by byte",
    ({ model }) =>
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n`,
    " ",
  ],
  [
    "sends chunks of a byte",
    ({ model }) =>
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`,
    "1\r\n \r\n",
  ],
  [
    "announces a body and sends none",
    ({ model }) =>
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`,
    "",
  ],
  [
    "waits for leave and sends nothing",
    ({ model }) =>
      `POST /v2/models/${model}/infer HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n`,
    "",
  ],
  ["asks again and again without reading", () => "", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  [
    "asks for a large page without reading",
    () => "",
    "GET /docs/renderer.js HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ],
  [
    "asks for events without reading",
    () => "",
    `POST /v2/models/digits/generate_stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}`,
  ],
  ["sends an HTTP/2 preface byte by byte", () => "PRI * HTTP/2.0\r\n\r\n", ""],
  ["opens a gRPC call and sends nothing", openCall, ""],
];

function openCall(target: Target): Buffer {
  const payload = headerBlock(callHeaders(target));
  return Buffer.concat([PREFACE, frame({ type: FRAME.headers, flags: 4, stream: 1, payload })]);
}

/** Only a connection without TLS can be reset. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** How the connections end: by FIN, by reset, or half-closed in the middle. */
const ENDINGS: ReadonlyArray<readonly [name: string, end: (socket: Socket) => void]> = [
  ["leaves", (socket) => socket.destroy()],
  ["resets", reset],
  ["half-closes", (socket) => socket.end()],
];

export const slowClients: readonly Attack[] = TRICKLES.flatMap((trickle, i) => {
  // Every ending with some of the trickles; all with all would take minutes.
  const ending = ENDINGS[i % ENDINGS.length]!;
  return [attack(trickle, ending)];
});

function attack([name, first, step]: Trickle, [ending, end]: (typeof ENDINGS)[number]): Attack {
  return {
    group: "slow clients",
    name: `${SOCKETS} × ${name}, then ${ending}`,
    holds: "others are served, and nothing of them is left",
    async run(target) {
      const sockets = Array.from({ length: SOCKETS }, () => dial(target));
      for (const socket of sockets) {
        socket.on("error", () => {});
        if (name.includes("without reading")) socket.pause();
        else socket.resume();
        socket.write(asCaller(target, first(target)));
      }
      for (let i = 0; i < STEPS; i++) {
        await new Promise((resolve) => setTimeout(resolve, STEP_MS));
        if (step !== "")
          for (const socket of sockets) if (socket.writable) socket.write(asCaller(target, step));
      }
      for (const socket of sockets) end(socket);
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      for (const socket of sockets) socket.destroy();
      return "";
    },
  };
}
