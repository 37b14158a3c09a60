import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocketServer } from "ws";
import { ServeError } from "../../../base/errors.ts";
import { askedModelOf, modelOf } from "../call/asked-model.ts";
import type { Entrance } from "../call/entrance.ts";
import type { RestContext } from "../call/rest-context.ts";
import { runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { streamDialect } from "./stream-dialect.ts";
import { WebSocketConnection } from "./web-socket-connection.ts";
import type { WebSocketLimits } from "./web-socket-limits.ts";

/** What a client asks for that wants a WebSocket: the request, its connection, and what was read behind it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

export interface WebSocketDoorOptions {
  readonly limits: WebSocketLimits;
  /** Each message is let in as a request of its own: its client's rights may have changed. */
  readonly enter: Entrance["enter"];
  readonly Server: typeof WebSocketServer;
}

/** Opens WebSockets, and knows those that are open. */
export class WebSocketDoor {
  readonly #context: RestContext;
  readonly #limits: WebSocketLimits;
  readonly #server: WebSocketServer;
  readonly #enter: Entrance["enter"];
  readonly #route: Route;
  readonly #connections = new Set<WebSocketConnection>();

  constructor(context: RestContext, { limits, enter, Server }: WebSocketDoorOptions) {
    const dialect = streamDialect();
    this.#context = context;
    this.#enter = enter;
    this.#route = {
      method: "POST",
      urls: [],
      run: (call, params) => runInference(call, askedModelOf(call, params), dialect),
    };
    this.#limits = limits;
    const { maxMessageBytes, maxFragments, closeTimeoutMs } = limits;
    const maxPayload = Math.min(maxMessageBytes, context.limits.maxBodyBytes);
    const own = { autoPong: false, maxFragments, closeTimeout: closeTimeoutMs };
    this.#server = new Server({
      noServer: true,
      clientTracking: false,
      // What is compressed costs memory for each connection, and grows a thousandfold.
      perMessageDeflate: false,
      maxPayload,
      ...own,
    });
  }

  get size(): number {
    return this.#connections.size;
  }

  /** `own`: what the client may see. Throws what the request is to be rejected with. */
  open({ request, socket, head }: Upgrade, params: RouteParams, own: RestContext): void {
    const { inference } = own;
    if (this.#context.isDraining())
      throw new ServeError("unavailable", "the server is shutting down; open the WebSocket elsewhere", {
        reason: "draining",
      });
    if (this.#connections.size >= this.#limits.maxSockets) throw tooManySockets(this.#limits.maxSockets);
    // Throws for a model that does not exist.
    inference.door(...modelOf(params));
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new WebSocketConnection(webSocket, socket, {
        context: this.#context,
        enter: (call) => this.#enter(call, { route: this.#route, params }),
        limits: this.#limits,
        request,
        onClosed: (closed) => this.#connections.delete(closed),
      });
      this.#connections.add(connection);
    });
  }

  /** Ends every connection once its requests are answered. */
  drain(): void {
    for (const connection of this.#connections) connection.drain();
  }
}

function tooManySockets(most: number): ServeError {
  return new ServeError("resource_exhausted", `${most} WebSockets are open, the most this server takes`, {
    reason: "too_many_web_sockets",
  });
}
