import { once } from "node:events";
import { type Agent, request } from "node:http";
import { expectedDigits, nestedImage } from "./expected-digits.ts";

/** What it sends. */
export const HELD_BODY: string = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });

/** A request for digits that is in flight as long as the test wants. */
export interface HeldRequest {
  /** Sends the rest of the body. Resolves with the answer's status; -1: there was none. */
  finish(): Promise<number>;
}

/** Sends a request whose body is held back until `finish`. Resolves once the server knows of it. */
export async function heldRequest(url: string, agent?: Agent): Promise<HeldRequest> {
  const outgoing = request(`${url}/predict/digits`, {
    method: "POST",
    ...(agent !== undefined && { agent }),
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(HELD_BODY),
      expect: "100-continue",
    },
  });
  const isKnown = once(outgoing, "continue");
  const answered = new Promise<number>((resolve) => {
    outgoing.on("response", (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    outgoing.on("error", () => resolve(-1));
  });
  outgoing.flushHeaders();
  await isKnown;
  outgoing.write(HELD_BODY.slice(0, 10));
  return {
    finish() {
      outgoing.end(HELD_BODY.slice(10));
      return answered;
    },
  };
}
