import type { IncomingHttpHeaders } from "node:http";
import { ServeError } from "../../../base/errors.ts";
import type { RequestStream } from "../../../base/request-stream.ts";
import type { EncodedResponse, RespondingCall, RestRequest, RestTransport } from "../call/rest-transport.ts";

const LENGTH_BYTES = 4;
const JSON_LENGTH = "inference-header-content-length";
/** Headers of the request that opened the connection which say something of its messages. */
const NOT_OF_MESSAGES: ReadonlySet<string> = new Set([
  "accept-encoding",
  "content-encoding",
  "content-type",
  "expect",
  "transfer-encoding",
]);

/** What a client's message is answered with. */
export interface StreamFrame {
  readonly isBinary: boolean;
  readonly parts: readonly Uint8Array[];
}

/** The headers that each message of a connection is read with. */
export function messageHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_OF_MESSAGES.has(name)));
}

/**
 * One message of a WebSocket as a call of its own: what follows is that of any request. A text is a v2 request; bytes are the length of its JSON
 * (4 bytes, little-endian), the JSON, and the binary tensors, or with a length of 0 the only input's bytes alone.
 */
export class MessageTransport implements RestTransport {
  readonly request: RestRequest;
  readonly stream: RequestStream;
  /** The client's own, once it was read. */
  id: string | undefined;
  readonly #body: Buffer;
  readonly #respond: (call: RespondingCall, frame: StreamFrame) => void;

  constructor(
    message: { readonly data: Buffer; readonly isBinary: boolean },
    options: {
      readonly url: string;
      readonly headers: IncomingHttpHeaders;
      readonly stream: RequestStream;
      readonly respond: (call: RespondingCall, frame: StreamFrame) => void;
    },
  ) {
    const { data, isBinary } = message;
    this.stream = options.stream;
    this.#respond = options.respond;
    this.#body = isBinary ? data.subarray(LENGTH_BYTES) : data;
    const headers: IncomingHttpHeaders = {
      ...options.headers,
      "content-length": String(this.#body.length),
    };
    if (isBinary) headers[JSON_LENGTH] = data.length < LENGTH_BYTES ? "none" : String(data.readUInt32LE(0));
    else delete headers[JSON_LENGTH];
    this.request = { method: "POST", url: options.url, httpVersion: "1.1", headers, rawHeaders: [] };
  }

  readonly isComplete = true;

  get message(): never {
    throw new ServeError("internal", "a message of a WebSocket comes as a whole");
  }

  get connection(): never {
    throw new ServeError("internal", "a message of a WebSocket is no connection");
  }

  begin(): never {
    throw new ServeError("internal", "a message of a WebSocket is answered in one piece");
  }

  takeBody(): Buffer {
    return this.#body;
  }

  writeContinue(): void {}

  respond(call: RespondingCall, { parts, headers }: EncodedResponse): void {
    const at = headers.indexOf("Inference-Header-Content-Length");
    if (at < 0) {
      this.#respond(call, { isBinary: false, parts });
      return;
    }
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt32LE(Number(headers[at + 1]));
    this.#respond(call, { isBinary: true, parts: [length, ...parts] });
  }
}
