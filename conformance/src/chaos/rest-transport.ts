import { connect, type Socket } from "node:net";
import { ROW_BYTES } from "./row.ts";
import {
  type Ask,
  failure,
  type Reply,
  type Sent,
  success,
  type Transport,
  timeLeftMs,
} from "./transport.ts";

const HEADER_END = "\r\n\r\n";

/** A keep-alive connection without pipelining. A bare socket: Node's own client would cost more than the server that it measures. */
class RestConnection {
  readonly #socket: Socket;
  readonly #onFree: (connection: RestConnection, isUsable: boolean) => void;
  #received: Buffer = Buffer.alloc(0);
  #ask: Ask | undefined;
  #resolve: ((reply: Reply) => void) | undefined;
  #lastVersion = 0;

  constructor(url: URL, onFree: (connection: RestConnection, isUsable: boolean) => void) {
    this.#onFree = onFree;
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.#socket.on("data", (bytes) => this.#take(bytes));
    this.#socket.on("error", (error) => this.#break(error.message));
    this.#socket.on("close", () => this.#break("closed without an answer"));
  }

  send(ask: Ask, resolve: (reply: Reply) => void): void {
    this.#ask = ask;
    this.#resolve = resolve;
    this.#socket.write(requestText(ask));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const headEnd = this.#received.indexOf(HEADER_END);
    if (headEnd < 0) return;
    const head = this.#received.toString("latin1", 0, headEnd).toLowerCase();
    const bodyStart = headEnd + HEADER_END.length;
    const bodyEnd = bodyStart + Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (this.#received.length < bodyEnd) return;
    const body = this.#received.toString("utf8", bodyStart, bodyEnd);
    this.#received = this.#received.subarray(bodyEnd);
    const reply = replyOf(this.#ask!, { head, body, versionBefore: this.#lastVersion });
    if (reply.version > 0) this.#lastVersion = reply.version;
    this.#finish(reply, !head.includes("\r\nconnection: close"));
  }

  #break(detail: string): void {
    this.#finish(failure("broken", { detail }), false);
  }

  #finish(reply: Reply, isUsable: boolean): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    if (!isUsable) this.#socket.destroy();
    this.#onFree(this, isUsable);
    resolve?.(reply);
  }
}

function requestText(ask: Ask): string {
  const { model, rows, tenant } = ask;
  const timeoutMs = timeLeftMs(ask);
  const data = rows.map((row) => row.join(",")).join(",");
  const input = `{"name":"x","datatype":"UINT8","shape":[${rows.length},${ROW_BYTES}],"data":[${data}]}`;
  const body = `{"inputs":[${input}]}`;
  const timeout = timeoutMs === undefined ? "" : `x-request-timeout-ms: ${timeoutMs}\r\n`;
  const key = tenant === undefined ? "" : `x-tenant: ${tenant}\r\n`;
  return (
    `POST /v2/models/${model}/infer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
    `${timeout}${key}content-length: ${body.length}${HEADER_END}${body}`
  );
}

interface RestAnswer {
  /** In lower case. */
  readonly head: string;
  readonly body: string;
  readonly versionBefore: number;
}

interface V2Answer {
  readonly model_version: string;
  readonly outputs: readonly [{ readonly data: readonly number[] }, { readonly data: readonly number[] }];
}

function replyOf(ask: Ask, { head, body, versionBefore }: RestAnswer): Reply {
  const status = Number(head.slice(9, 12));
  if (status === 200) {
    const { model_version, outputs } = JSON.parse(body) as V2Answer;
    const [y, tag] = outputs;
    return success(ask, {
      y: Uint8Array.from(y.data),
      tags: tag.data,
      version: Number(model_version),
      versionBefore,
    });
  }
  const { reason = "", error = "" } = JSON.parse(body) as { reason?: string; error?: string };
  return failure(`${status} ${reason}`, {
    isRefusal: status === 429 || status === 503,
    hasHint: head.includes("\r\nretry-after: "),
    detail: error,
  });
}

/** At most `size` connections; requests wait for one in turn. */
export function createRestTransport(url: string, size: number): Transport {
  const target = new URL(url);
  const idle: RestConnection[] = [];
  const all = new Set<RestConnection>();
  const waiting: (() => void)[] = [];
  let isClosed = false;

  const onFree = (connection: RestConnection, isUsable: boolean): void => {
    if (isUsable) idle.push(connection);
    else {
      all.delete(connection);
      const index = idle.indexOf(connection);
      if (index >= 0) idle.splice(index, 1);
    }
    waiting.shift()?.();
  };
  const take = (): RestConnection | undefined => {
    const free = idle.pop();
    if (free !== undefined || all.size >= size) return free;
    const opened = new RestConnection(target, onFree);
    all.add(opened);
    return opened;
  };

  return {
    ask(ask): Sent {
      let connection: RestConnection | undefined;
      let isCancelled = false;
      let cancel = (): void => {};
      const done = new Promise<Reply>((resolve) => {
        cancel = () => {
          isCancelled = true;
          resolve(failure("cancelled"));
          connection?.close();
        };
        const start = (): void => {
          if (isCancelled || isClosed) {
            waiting.shift()?.();
            return;
          }
          connection = take();
          if (connection === undefined) waiting.unshift(start);
          else
            connection.send(ask, (reply) => {
              connection = undefined;
              resolve(reply);
            });
        };
        if (idle.length > 0 || all.size < size) start();
        else waiting.push(start);
      });
      return { done, cancel };
    },
    close() {
      isClosed = true;
      for (const connection of all) connection.close();
    },
  };
}
