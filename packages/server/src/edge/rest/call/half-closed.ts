import type { Clock } from "../../../base/clock.ts";

/** The first question makes a client that left say so (a reset); the second one, a moment later, hears it. */
const FIRST_PAUSE_MS = 2;
const PAUSE_FACTOR = 8;
const LONGEST_PAUSE_MS = 5000;

/** A client that waits for a response. */
interface AskedClient {
  /** The response has begun, or the client has gone. */
  isOver(): boolean;
  /** Sends an interim response. */
  ask(): void;
}

/**
 * A client that will send nothing more may have left, or only have half-closed its connection (`nc -N`, some balancers) to wait for its
 * response: TCP tells no difference. So it is sent an interim response from time to time, which every HTTP/1.1 client skips (RFC 9110 §15.2);
 * the system of one that left answers with a reset, and its response is closed. Of HTTP/1.0 clients nothing can be learned; they are answered.
 */
export function askWhetherThere(client: AskedClient, clock: Clock): void {
  let pauseMs = FIRST_PAUSE_MS;
  const ask = (): void => {
    if (client.isOver()) return;
    client.ask();
    clock.after(pauseMs, ask);
    pauseMs = Math.min(pauseMs * PAUSE_FACTOR, LONGEST_PAUSE_MS);
  };
  ask();
}
