import type { IncomingMessage } from "node:http";
import http from "node:http";
import https from "node:https";
import { gatherAtMost } from "../base/gather-at-most.ts";
import { rejectedSpans } from "./partial-success.ts";
import { MOST_RESPONSE_BYTES, type SenderOptions, type Sent, type SpanSender } from "./span-sender.ts";

/** OTLP's list: what these say may change by itself. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const SECOND_MS = 1000;

/** OTLP over HTTP, as protobuf. Redirects are not followed: they would take the headers elsewhere. */
export function createHttpSender(options: SenderOptions): SpanSender {
  const { endpoint, headers, tls, userAgent, after } = options;
  const isTls = endpoint.protocol === "https:";
  const agent = isTls
    ? new https.Agent({ keepAlive: true, maxSockets: 1, ...tls })
    : new http.Agent({ keepAlive: true, maxSockets: 1 });
  const request = isTls ? https.request : http.request;
  return {
    send: (body, timeoutMs) =>
      new Promise((resolve) => {
        const sending = request(endpoint, {
          method: "POST",
          agent,
          headers: {
            ...headers,
            "content-type": "application/x-protobuf",
            "content-length": body.length,
            "user-agent": userAgent,
          },
        });
        const cancel = after(timeoutMs, () => sending.destroy(new Error(`no answer in ${timeoutMs} ms`)));
        const end = (sent: Sent): void => {
          cancel();
          resolve(sent);
        };
        const failed = ({ message }: Error): void =>
          end({ kind: "retry", afterMs: undefined, why: message || "the connection failed" });
        sending.on("error", failed);
        sending.on("response", (response) => {
          readResponse(response).then((body) => end(judge(response, body)), failed);
        });
        sending.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function readResponse(response: IncomingMessage): Promise<Buffer> {
  const body = await gatherAtMost(response, MOST_RESPONSE_BYTES);
  if (body === undefined) throw new Error("the response is too long");
  return body;
}

function judge({ statusCode = 0, headers }: IncomingMessage, body: Buffer): Sent {
  if (statusCode >= 200 && statusCode < 300) return { kind: "accepted", rejected: rejectedSpans(body) };
  const why = `HTTP status ${statusCode}`;
  if (!RETRYABLE.has(statusCode)) return { kind: "refused", why };
  const seconds = Number(headers["retry-after"] ?? Number.NaN);
  return { kind: "retry", afterMs: seconds >= 0 ? seconds * SECOND_MS : undefined, why };
}
