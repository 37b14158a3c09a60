import net from "node:net";
import tls from "node:tls";
import { systemClock } from "../../base/clock.ts";

const TRIES = 5;
const LIMIT_MS = 5000;

/** How long opening a connection to a server takes, with its TLS handshake: the median of some, in milliseconds; undefined: none could be opened. */
export async function timeConnections(origin: string): Promise<number | undefined> {
  const took: number[] = [];
  for (let i = 0; i < TRIES; i++) {
    const ms = await timeOne(new URL(origin));
    if (ms === undefined) return undefined;
    took.push(ms);
  }
  return took.sort((a, b) => a - b)[Math.floor(TRIES / 2)];
}

function timeOne({ protocol, hostname, port }: URL): Promise<number | undefined> {
  const isTls = protocol === "https:";
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = { host, port: Number(port || (isTls ? 443 : 80)) };
  const startMs = systemClock.nowMs();
  return new Promise((resolve) => {
    // Whom it speaks to does not matter: nothing is said.
    const socket = isTls ? tls.connect({ ...at, rejectUnauthorized: false }) : net.connect(at);
    const end = (ms: number | undefined): void => {
      cancel();
      socket.destroy();
      resolve(ms);
    };
    const cancel = systemClock.after(LIMIT_MS, () => end(undefined));
    socket.once(isTls ? "secureConnect" : "connect", () => end(systemClock.nowMs() - startMs));
    socket.once("error", () => end(undefined));
  });
}
