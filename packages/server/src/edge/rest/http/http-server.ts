import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Clock, timerDelayMs } from "../../../base/clock.ts";
import { ServeError } from "../../../base/errors.ts";
import type { RestLimits } from "../../rest-limits.ts";
import { expectsContinue, unknownVersion } from "../call/check-head.ts";
import { errorResponse } from "../call/error-response.ts";
import { askWhetherThere } from "../call/half-closed.ts";
import { METHODS, noSuchMethod } from "../call/route-table.ts";
import { createRequestTurns } from "./request-turns.ts";

/** Other protocols than HTTP. */
interface Upgrades {
  /** False: the request is to be answered as if its client had not said that it wants another protocol. */
  wants(request: IncomingMessage): boolean;
  take(request: IncomingMessage, socket: Socket, head: Buffer): void;
}

/** What a server does with its requests. `Call` is one of them, from its headers on. */
export interface RequestHandler<Call> {
  /** The headers are here. */
  open(request: IncomingMessage, response: ServerResponse): Call;
  /** As much of the body is here as came with the headers. */
  run(call: Call): void;
  /** Whether connections may still be handed over while it closes. Default: none will. `look` is to be called when that ends. */
  isExpecting?(): boolean;
  /** Takes the connections of clients that want to go on in another protocol. Default: that they want to is overlooked. */
  readonly upgrades?: Upgrades;
}

/** A call that is told when its connection is done with it. */
interface EndingCall {
  end(): void;
}

export interface HttpServer {
  readonly server: Server;
  /** Open connections with a request in progress. */
  busyCount(): number;
  /** Open connections without a request in progress. */
  idleCount(): number;
  /** Looks whether it may close now. */
  look(): void;
  close(): Promise<void>;
  destroy(): void;
}

/** How often Node looks for connections past their time. */
const CHECK_INTERVAL_MS = 1000;

/** A `node:http` server with every limit on, which is given connections instead of listening. */
export function createHttpServer<Call extends EndingCall>(
  limits: RestLimits,
  clock: Clock,
  handler: RequestHandler<Call>,
): HttpServer {
  const sockets = new Set<Socket>();
  const calls = new Map<ServerResponse, Call>();
  const turns = createRequestTurns();
  /** The response that a connection got last, or is going to get. */
  const latest = new WeakMap<Socket, ServerResponse>();
  /** Of a connection: responses that are not done. */
  const open = new WeakMap<Socket, Set<ServerResponse>>();
  const server = boundedServer(limits, handler.upgrades);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      closeQueued(open.get(socket));
    });
    socket.once("end", () => {
      // Of those that wait for each other the first can be written to.
      const [first] = open.get(socket) ?? [];
      const response = first ?? latest.get(socket);
      if (response !== undefined && response.req.httpVersionMinor > 0) askHttpClient(response, clock);
    });
  });
  server.on("clientError", answerClientError);
  // Node would hand the connection over, or close it without a word.
  server.on("connect", (_request: IncomingMessage, socket: Socket) =>
    sendError(socket, noSuchMethod("CONNECT")),
  );
  if (handler.upgrades !== undefined) passUpgrades(server, handler.upgrades);
  let closing: Promise<void> | undefined;
  let onProgress = (): void => {};
  function forget(this: ServerResponse): void {
    calls.get(this)?.end();
    calls.delete(this);
    open.get(this.req.socket)?.delete(this);
    onProgress();
  }
  const follow = (request: IncomingMessage, response: ServerResponse): void => {
    const call = handler.open(request, response);
    calls.set(response, call);
    latest.set(request.socket, response);
    const others = open.get(request.socket);
    if (others === undefined) open.set(request.socket, new Set([response]));
    else others.add(response);
    response.on("close", forget);
    // What came together with the headers is parsed next, before this.
    if (turns.mayRun(request.socket)) process.nextTick(handler.run, call);
    else turns.defer(request.socket, { response, run: () => handler.run(call) });
  };
  const busyCount = (): number => new Set(Array.from(calls.keys(), ({ req }) => req.socket)).size;
  server.on("request", follow);
  // The body is asked for once the headers have been judged, not before.
  server.on("checkContinue", follow);
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    if (expectsContinue(request)) rejectExpectation(request, response);
    else follow(request, response);
  });
  return {
    server,
    busyCount,
    idleCount: () => sockets.size - busyCount(),
    look: () => onProgress(),
    close() {
      closing ??= new Promise((resolve) => {
        const check = (): void => {
          // Node takes a connection for idle whose response is written but not yet sent to the end, and would cut it.
          if (!isSending(calls.keys())) server.closeIdleConnections();
          if (sockets.size === 0 && handler.isExpecting?.() !== true) {
            // Not listening, so this only ends the timer that `listening` started.
            server.close();
            resolve();
          }
        };
        onProgress = () => setImmediate(check);
        for (const socket of sockets) socket.once("close", onProgress);
        server.on("connection", (socket: Socket) => socket.once("close", onProgress));
        // Two turns from now the requests that have arrived by now have been read.
        setImmediate(onProgress);
      });
      return closing;
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Every limit of `node:http` is on; nobody listens to its requests yet. */
function boundedServer(limits: RestLimits, upgrades: Upgrades | undefined): Server {
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: timerDelayMs(limits.headersTimeoutMs),
    requestTimeout: timerDelayMs(limits.requestTimeoutMs),
    keepAliveTimeout: timerDelayMs(limits.keepAliveTimeoutMs),
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    // Node would answer without a body, and misses a Host behind too many other headers. The edge asks for it.
    requireHostHeader: false,
    noDelay: true,
    // Since Node 24; its types do not know it yet.
    ...{ shouldUpgradeCallback: (request: IncomingMessage) => upgrades?.wants(request) === true },
  });
  // Node drops headers past this number without a word; one more than allowed lets the edge see that there were too many.
  server.maxHeadersCount = limits.maxHeaders + 1;
  // Node would end the connection of a client that sends FIN behind its request, and its types do not know how to keep it from that.
  Object.assign(server, { httpAllowHalfOpen: true });
  // Node starts looking for connections past their time when a server listens. This one never does.
  server.emit("listening");
  return server;
}

/** Hands on the requests that ask for a protocol that is spoken here; the others are served as they are. */
function passUpgrades(server: Server, upgrades: Upgrades): void {
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (upgrades.wants(request)) upgrades.take(request, socket, head);
    else {
      // Before Node 24 a server with this listener was given all connections whose clients want another protocol, their bodies included.
      socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]));
      server.emit("connection", socket);
    }
  });
}

const UPGRADE_HEADERS: ReadonlySet<string> = new Set(["upgrade", "http2-settings"]);

/** The request line and headers as they came, without the wish for another protocol (RFC 9110 §7.8: a server may overlook it). */
function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!];
    const kept = name.toLowerCase() === "connection" ? withoutUpgrade(value) : value;
    if (!UPGRADE_HEADERS.has(name.toLowerCase())) head += `${name}: ${kept}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, "latin1");
}

function withoutUpgrade(connection: string): string {
  const kept = connection.split(",").filter((option) => !UPGRADE_HEADERS.has(option.trim().toLowerCase()));
  return kept.length === 0 ? "keep-alive" : kept.join(",");
}

function askHttpClient(response: ServerResponse, clock: Clock): void {
  askWhetherThere(
    {
      isOver: () => response.headersSent || response.closed,
      // A response that waits behind another one has no socket yet; that other one is the question.
      ask: () => response.socket !== null && response.writeContinue(),
    },
    clock,
  );
}

function isSending(responses: Iterable<ServerResponse>): boolean {
  for (const { writableEnded, writableFinished } of responses)
    if (writableEnded && !writableFinished) return true;
  return false;
}

function rejectExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const error = new ServeError("invalid_argument", "Expect: only 100-continue is understood", {
    reason: "expectation_failed",
  });
  const { status, body } = errorResponse(error, () => 0.5);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": body.length,
    Connection: "close",
  });
  response.end(body);
}

const PARSER_ERRORS: Readonly<Record<string, ServeError>> = {
  HPE_HEADER_OVERFLOW: new ServeError("resource_exhausted", "the request line and headers are too large", {
    reason: "headers_too_large",
  }),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new ServeError(
    "resource_exhausted",
    "the body's chunk extensions are too large",
    {
      reason: "body_too_large",
    },
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new ServeError("deadline_exceeded", "the request took too long to arrive", {
    reason: "request_timeout",
  }),
};
const NOT_HTTP = new ServeError("invalid_argument", "this is not a valid HTTP/1.1 request", {
  reason: "bad_http",
});

interface ParserError extends NodeJS.ErrnoException {
  /** The parser's own words. */
  readonly reason?: string;
}

/** Answers what is not HTTP request, and closes the connection. */
function answerClientError(error: ParserError, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  sendError(socket, parserError(error));
}

function parserError({ code, reason }: ParserError): ServeError {
  if (code === "HPE_INVALID_VERSION" && reason === "Invalid HTTP version") return unknownVersion();
  return PARSER_ERRORS[code ?? ""] ?? NOT_HTTP;
}

/** Answers a request for another protocol that is rejected, and closes the connection. */
export function rejectUpgrade(socket: Socket, error: ServeError): void {
  sendError(socket, error);
}

/** Answers a connection whose client sent half a request and will send no more. */
export function rejectBroken(socket: Socket): void {
  sendError(socket, NOT_HTTP);
}

function sendError(socket: Socket, error: ServeError): void {
  const { status, body } = errorResponse(error, () => 0.5);
  const allow = error.reason === "method_not_allowed" ? `Allow: ${METHODS}\r\n` : "";
  const head = `HTTP/1.1 ${status} Error\r\n${allow}Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  socket.end(Buffer.concat([Buffer.from(head, "latin1"), body]), () => socket.destroy());
}

/** Node says of a response only when it is the first of its connection that the client has left: those that wait for it would stay for good. */
function closeQueued(responses: ReadonlySet<ServerResponse> = new Set()): void {
  for (const response of responses) {
    if (response.socket !== null) continue;
    response.destroyed = true;
    response.emit("close");
  }
}
