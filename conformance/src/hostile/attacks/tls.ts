import { connect, createServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Attack, exchange, type Target } from "../attack.ts";

const HALF_OPEN = 1_500;
/** As many handshakes are waited for at the same time (edge/listener.ts). */
const MOST_HANDSHAKES = 1_024;
const SLOW = 40;
const WHOLE = 200;
const PATIENCE_MS = 20_000;

/** What a client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const hello = new Promise<Buffer>((resolve) =>
    server.on("connection", (socket) => socket.once("data", resolve).on("error", () => {})),
  );
  const client = connectTls({ port, host: "127.0.0.1" }).on("error", () => {});
  try {
    return await hello;
  } finally {
    client.destroy();
    server.close();
  }
}

function record(type: number, version: number, payload: Buffer, announced = payload.length): Buffer {
  const head = Buffer.from([type, version >> 8, version & 0xff, announced >> 8, announced & 0xff]);
  return Buffer.concat([head, payload]);
}

/** What is no handshake: the connection is closed, with an alert or without. */
const BROKEN: ReadonlyArray<readonly [name: string, bytes: (hello: Buffer, target: Target) => Buffer[]]> = [
  ["noise in a record of a handshake", (_hello, { random }) => [record(0x16, 0x0301, random.bytes(400))]],
  ["a record longer than there are", () => [record(0x16, 0x0301, Buffer.alloc(20_000), 0xffff)]],
  ["a hello that announces 16 MiB", () => [record(0x16, 0x0301, Buffer.from([1, 0xff, 0xff, 0xff, 3, 3]))]],
  ["a hello of a version that there is not", (hello) => [changed(hello, [[9, 0x02]])]],
  ["a hello that is cut, and then noise", (hello, { random }) => [hello.subarray(0, 60), random.bytes(600)]],
  [
    "a hello that was changed",
    (hello) => [
      changed(hello, [
        [43, 0xff],
        [44, 0xff],
        [50, 0xff],
      ]),
    ],
  ],
  ["a hello twice", (hello) => [hello, hello]],
  ["a certificate before the hello", () => [record(0x16, 0x0303, Buffer.from([11, 0, 0, 3, 0, 0, 0]))]],
  [
    "empty records without end",
    () => [Buffer.concat(new Array<Buffer>(20_000).fill(record(0x16, 0x0303, Buffer.alloc(0))))],
  ],
  [
    "alerts before the hello",
    () => [record(0x16, 0x0303, Buffer.from([1])), record(0x15, 0x0303, Buffer.from([1, 90]))],
  ],
];

function changed(hello: Buffer, bytes: ReadonlyArray<readonly [at: number, byte: number]>): Buffer {
  const copy = Buffer.from(hello);
  for (const [at, byte] of bytes) copy[at] = byte;
  return copy;
}

/** Whole handshakes of clients whose TLS does not go with ours. */
const REFUSED: ReadonlyArray<readonly [name: string, options: ConnectionOptions]> = [
  ["TLS 1.1", { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }],
  [
    "a cipher without forward secrecy",
    { maxVersion: "TLSv1.2", ciphers: "AES128-SHA:AES256-GCM-SHA384:@SECLEVEL=0" },
  ],
  ["a cipher without authentication", { maxVersion: "TLSv1.2", ciphers: "ADH:AECDH:@SECLEVEL=0" }],
  ["protocols that nobody speaks", { ALPNProtocols: ["spdy/3", "acme-tls/1"] }],
];

export const tls: readonly Attack[] = [
  ...BROKEN.map(([name, bytes]) =>
    attack(name, "the connection is closed", async (target) => {
      const parts = bytes(await clientHello(), target);
      const { isClosed } = await exchange({ port: target.port }, parts);
      return isClosed ? "" : "the connection stays open";
    }),
  ),
  ...REFUSED.map(([name, options]) =>
    attack(name, "the handshake fails", async (target) =>
      (await isSecured(target, options)) ? "it came to a connection" : "",
    ),
  ),
  attack("HTTP without TLS", "400, and that the port speaks TLS", async ({ port }) => {
    const { text } = await exchange({ port }, ["GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"]);
    return text.startsWith("HTTP/1.1 400 ") && text.includes("tls_required")
      ? ""
      : `answered with ${text.slice(0, 80)}`;
  }),
  attack("a renegotiation", "it is refused, or the connection ends", renegotiate),
  attack(
    `${HALF_OPEN} handshakes that are never finished`,
    `those beyond ${MOST_HANDSHAKES} are turned away at once, and nothing of them is left`,
    halfOpen,
  ),
  attack(`${SLOW} hellos byte by byte`, "others are served, and nothing of them is left", slowHellos),
  attack(
    `${WHOLE} handshakes, and away`,
    "others are served, and nothing of them is left",
    async (target) => {
      await Promise.all(Array.from({ length: WHOLE }, () => isSecured(target, {})));
      return "";
    },
  ),
];

function attack(name: string, holds: string, run: Attack["run"]): Attack {
  return {
    group: "TLS",
    name,
    holds,
    run: async (target) => (target.entry === undefined ? "" : run(target)),
  };
}

function isSecured({ port, entry }: Target, options: ConnectionOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: "127.0.0.1", ca: entry!.ca, ...options });
    const end = (isSecure: boolean): void => {
      socket.destroy();
      resolve(isSecure);
    };
    socket.on("secureConnect", () => end(true));
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
  });
}

function renegotiate({ port, entry }: Target): Promise<string> {
  return new Promise((resolve) => {
    const options = { port, host: "127.0.0.1", ca: entry!.ca, maxVersion: "TLSv1.2" } as const;
    const socket: TLSSocket = connectTls(options, () => {
      socket.renegotiate({}, (error) => end(error === null ? "it was renegotiated" : ""));
    });
    const end = (problem: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    const timer = setTimeout(() => end("the connection hangs"), PATIENCE_MS);
    socket.on("error", () => end(""));
    socket.on("close", () => end(""));
  });
}

async function halfOpen({ port }: Target): Promise<string> {
  const hello = await clientHello();
  let closed = 0;
  const sockets = Array.from({ length: HALF_OPEN }, () => connect(port, "127.0.0.1"));
  const turnedAway = new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.on("close", () => {
        closed += 1;
        if (closed >= HALF_OPEN - MOST_HANDSHAKES) resolve();
      });
      socket.resume();
      socket.write(hello.subarray(0, 30));
    }
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([turnedAway, late]);
  clearTimeout(timer);
  const inTime = closed;
  await endAll(sockets);
  return inTime >= HALF_OPEN - MOST_HANDSHAKES ? "" : `only ${inTime} were turned away`;
}

async function slowHellos({ port }: Target): Promise<string> {
  const hello = await clientHello();
  const sockets = Array.from({ length: SLOW }, () => connect(port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => {}).resume();
  for (let i = 0; i < SLOW; i++) {
    for (const socket of sockets) if (socket.writable) socket.write(hello.subarray(i, i + 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await endAll(sockets);
  return "";
}

/** By reset: nobody waits for what is on its way. */
async function endAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          if (socket.closed) resolve();
          else socket.once("close", () => resolve()).resetAndDestroy();
        }),
    ),
  );
}
