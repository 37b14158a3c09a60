import type { IncomingHttpHeaders } from "node:http2";
import { ServeError } from "../../base/errors.ts";
import { type Authenticator, callerFor, checkScope } from "../../gate/authenticator.ts";
import type { Caller } from "../../gate/caller.ts";
import { parseGrpcTimeout, parseTimeoutMs } from "../../gate/deadline.ts";
import type { WebGate } from "../../gate/web-gate.ts";
import type { Authentication } from "../authentication.ts";
import { discardRest } from "./discard-rest.ts";
import { type CallParts, GrpcCall, type GrpcMethod } from "./grpc-call.ts";
import type { Coding } from "./inflate-message.ts";
import type { ReaderDeps } from "./message-reader.ts";

/** The contents that we speak, and what may follow: parameters. */
const CONTENT_TYPE = /^application\/grpc(?:\+proto)?(?:[ \t]*;|$)/i;

/** The result can end the call; undefined: it is no call, or ended already. */
export type CallOpener = (parts: Omit<CallParts, "deps">) => GrpcCall | undefined;

interface OpenerDeps extends ReaderDeps {
  readonly webGate: WebGate;
  /** Undefined: everybody may come in. */
  readonly authenticator?: Authenticator | undefined;
  readonly authentication?: Pick<Authentication, "denied"> | undefined;
}

export type MethodTable = ReadonlyMap<string, GrpcMethod>;

/** The methods that there are, and as a caller sees them. */
export interface Methods {
  readonly all: MethodTable;
  of(caller: Caller): MethodTable;
}

/** Makes what opens a call for each stream of HTTP/2, or says why it is none. */
export function callOpener(methods: Methods, deps: OpenerDeps): CallOpener {
  return ({ stream, headers, ...others }) => {
    stream.on("error", ignore);
    // It may have been reset before its turn came, and then takes nothing any more.
    if (stream.destroyed || stream.closed) {
      others.peer.leftCall();
      return undefined;
    }
    const status = httpRejection(headers);
    if (status !== undefined) {
      stream.respond(status, { endStream: true });
      discardRest(stream);
      return undefined;
    }
    const call = new GrpcCall({ stream, headers, ...others, deps });
    const fail = (thrown: unknown): void => call.fail(ServeError.from(thrown));
    const discardUnread = (): void => {
      if (!call.isRead) discardRest(stream);
    };
    try {
      const foreign = deps.webGate.check(headers[":authority"] ?? headers.host, headers.origin);
      if (foreign !== undefined) throw foreign;
      const path = headers[":path"] ?? "";
      const method = methods.all.get(path);
      if (method === undefined) throw unknownMethod(path);
      const coding = codingOf(headers);
      tighten(call);
      if (deps.authenticator === undefined) {
        if (!call.ended) call.open(method, coding);
      } else {
        const caller = callerFor(deps.authenticator, call.header("authorization"), method.needs ?? "infer");
        const enter = (verified: Caller): void => {
          if (method.needs === "admin" && !verified.scopes.has("admin"))
            deps.authentication?.denied(verified.name);
          if (!call.ended) openAs(verified, { call, method: methods.of(verified).get(path)!, coding });
        };
        if (caller instanceof Promise) {
          caller.then(enter).catch(fail).finally(discardUnread);
          return call;
        }
        enter(caller);
      }
    } catch (thrown) {
      fail(thrown);
    }
    discardUnread();
    return call.ended ? undefined : call;
  };
}

interface Opening {
  readonly call: GrpcCall;
  readonly method: GrpcMethod;
  readonly coding: Coding | undefined;
}

function openAs(caller: Caller, { call, method, coding }: Opening): void {
  checkScope(caller, method.needs ?? "infer");
  call.caller = caller;
  call.open(method, coding);
}

/** Whether a stream of HTTP/2 asks for gRPC, rightly or not: anything else is REST, or gRPC in another protocol's clothes. */
export function isGrpc({ "content-type": contentType }: IncomingHttpHeaders): boolean {
  return contentType !== undefined && /^application\/grpc(?!-web)/i.test(contentType);
}

/** What is no gRPC gets an answer of HTTP (gRPC over HTTP/2, "Requests"). */
function httpRejection(headers: IncomingHttpHeaders): Record<string, string | number> | undefined {
  if (headers[":method"] !== "POST") return { ":status": 405, allow: "POST" };
  const contentType = headers["content-type"];
  if (contentType === undefined || !CONTENT_TYPE.test(contentType)) {
    return { ":status": 415, "accept-post": "application/grpc" };
  }
  return undefined;
}

function codingOf(headers: IncomingHttpHeaders): Coding | undefined {
  const coding = headers["grpc-encoding"];
  if (coding === undefined || coding === "identity") return undefined;
  if (coding === "gzip" || coding === "deflate") return coding;
  throw new ServeError(
    "unimplemented",
    "grpc-encoding is neither gzip nor deflate nor identity; this server knows no other",
    { reason: "unsupported_encoding" },
  );
}

function tighten(call: GrpcCall): void {
  const timeout = call.header("grpc-timeout");
  if (timeout !== undefined) call.tighten(call.receivedMs + parseGrpcTimeout(timeout));
  const timeoutMs = call.header("x-request-timeout-ms");
  if (timeoutMs !== undefined) call.tighten(call.receivedMs + parseTimeoutMs(timeoutMs));
}

function unknownMethod(path: string): ServeError {
  return new ServeError(
    "unimplemented",
    `there is no method ${path.slice(0, 200)}; reflection lists what there is`,
    {
      reason: "no_such_method",
    },
  );
}

function ignore(): void {}
