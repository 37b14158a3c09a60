import type { HttpResponse } from "./ask-endpoint.ts";
import { ClientError, responseError } from "./client-error.ts";
import type { InferMessage } from "./infer-request.ts";
import { type InferResponse, inferResponse } from "./infer-response.ts";

/** What a stream needs of a WebSocket: those of browsers, of Node 22 and later, and of the package `ws` have it. */
export interface StreamSocket {
  binaryType: string;
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** How a stream is opened and what goes over it. */
export interface StreamTerms<Inputs> {
  /** Where it leads: an address of a server, and the path behind it. */
  readonly endpoint: string;
  readonly path: string;
  readonly webSocket: new (url: string) => StreamSocket;
  readonly signal: AbortSignal;
  /** The message of one request: the length of its head, its head, its tensors. */
  encode(inputs: Inputs, id: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** What of a text is looked at: errors have their words, status, and the number of the message they are about. */
interface StreamText {
  readonly error?: string;
  readonly status?: number;
  readonly message?: number;
}

/** Requests that are sent and not answered, at most: the server reads no more than 64. */
const MOST_IN_FLIGHT = 16;
const LENGTH_BYTES = 4;

/**
 * Sends each of the inputs over one WebSocket and gives the responses in their order. Throws ClientError for the first request that fails, the
 * signal's reason when it is aborted, and what `source` throws. Who stops reading closes the stream.
 */
export async function* openStream<Inputs>(
  source: AsyncIterable<Inputs> | Iterable<Inputs>,
  terms: StreamTerms<Inputs>,
): AsyncGenerator<InferResponse, void, undefined> {
  terms.signal.throwIfAborted();
  const stream = new ModelStream(terms);
  try {
    await stream.opened();
    stream.sendAll(source);
    for (let n = 0; ; n++) {
      const response = await stream.response(n);
      if (response === undefined) return;
      yield response;
    }
  } finally {
    stream.close();
  }
}

class ModelStream<Inputs> {
  readonly #terms: StreamTerms<Inputs>;
  readonly #socket: StreamSocket;
  /** Those that came and were not taken, by the number of their request. */
  readonly #responses = new Map<number, InferResponse | ClientError>();
  readonly #onAbort = (): void => this.#fail(this.#terms.signal.reason);
  #waiting: (() => void)[] = [];
  #failure: { readonly error: unknown } | undefined;
  #isOpen = false;
  #isClosed = false;
  #sent = 0;
  #taken = 0;
  #hasAll = false;

  constructor(terms: StreamTerms<Inputs>) {
    this.#terms = terms;
    const { endpoint, path, webSocket, signal } = terms;
    this.#socket = new webSocket(`${endpoint.replace(/^http/, "ws")}${path}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.#isOpen = true;
      this.#changed();
    };
    this.#socket.onmessage = ({ data }: { readonly data: unknown }) => this.#take(data);
    this.#socket.onerror = () => this.#fail(this.#gone("could not be reached, or opened no stream"));
    this.#socket.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) =>
      this.#fail(this.#gone(`closed the stream (${[code, reason].filter(Boolean).join(", ")})`));
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  async opened(): Promise<void> {
    while (!this.#isOpen) await this.#nextChange();
  }

  /** That of request `n`; undefined: there are no more. */
  async response(n: number): Promise<InferResponse | undefined> {
    for (;;) {
      const found = this.#responses.get(n);
      if (found !== undefined) {
        this.#responses.delete(n);
        this.#taken = n + 1;
        this.#changed();
        if (found instanceof ClientError) throw found;
        return found;
      }
      if (this.#hasAll && n >= this.#sent) return undefined;
      await this.#nextChange();
    }
  }

  /** Sends while responses are taken; what goes wrong, `response` throws. */
  sendAll(source: AsyncIterable<Inputs> | Iterable<Inputs>): void {
    this.#sendEach(source).catch((error: unknown) => this.#fail(error));
  }

  close(): void {
    this.#isClosed = true;
    this.#terms.signal.removeEventListener("abort", this.#onAbort);
    this.#socket.close();
    this.#changed();
  }

  async #sendEach(source: AsyncIterable<Inputs> | Iterable<Inputs>): Promise<void> {
    for await (const inputs of source) {
      while (!this.#isClosed && this.#sent - this.#taken >= MOST_IN_FLIGHT) await this.#nextChange();
      if (this.#isClosed) return;
      const message = await this.#terms.encode(inputs, String(this.#sent));
      if (this.#isClosed) return;
      this.#sent += 1;
      this.#socket.send(message);
    }
    this.#hasAll = true;
    this.#changed();
  }

  #take(data: unknown): void {
    try {
      if (typeof data === "string") this.#readText(data);
      else this.#readBytes(data as ArrayBuffer); // as it was asked for
      this.#changed();
    } catch (error) {
      this.#fail(error instanceof ClientError ? error : this.#unreadable(error));
    }
  }

  /** A text is an error, which says whose, or a response without bytes. */
  #readText(text: string): void {
    const { endpoint } = this.#terms;
    const head = JSON.parse(text) as StreamText;
    if (head.error === undefined) {
      this.#put({ headers: new Headers(), bytes: new TextEncoder().encode(text), endpoint });
    } else {
      const error = responseError(new Response(null, { status: head.status ?? 500 }), text, endpoint);
      this.#responses.set(head.message ?? 0, error);
    }
  }

  #readBytes(data: ArrayBuffer): void {
    const head = new DataView(data).getUint32(0, true);
    const headers = new Headers({ "inference-header-content-length": String(head) });
    this.#put({ headers, bytes: new Uint8Array(data, LENGTH_BYTES), endpoint: this.#terms.endpoint });
  }

  #put(answer: HttpResponse): void {
    const response = inferResponse(answer);
    this.#responses.set(Number(response.id), response);
  }

  #unreadable(cause: unknown): ClientError {
    const { endpoint } = this.#terms;
    const message = `${endpoint} sent a message that cannot be read`;
    return new ClientError("data_loss", message, { cause, trace: { endpoint } });
  }

  #gone(what: string): ClientError {
    const { endpoint } = this.#terms;
    return new ClientError("unavailable", `${endpoint} ${what}`, { trace: { endpoint } });
  }

  /** The first failure counts. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed();
  }

  #changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Throws what ended the stream. */
  async #nextChange(): Promise<void> {
    if (this.#failure === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#failure !== undefined && !this.#isClosed) throw this.#failure.error;
  }
}

/** A request of the protocol's binary extension as one message of a stream: the length of its head in front. */
export function streamMessage({ headers, body }: InferMessage): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(message.buffer).setUint32(0, Number(headers["inference-header-content-length"]), true);
  message.set(body, LENGTH_BYTES);
  return message;
}
