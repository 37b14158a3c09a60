import type { IncomingHttpHeaders } from "node:http";
import type { Readable, Writable } from "node:stream";
import type { RequestStream } from "../../../base/request-stream.ts";
import type { CallConnection } from "../../call-stream.ts";
import type { RestContext } from "./rest-context.ts";

/** The request line and headers, as `node:http` has them. */
export interface RestRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
}

/** A response ready to be sent. */
export interface EncodedResponse {
  readonly status: number;
  readonly parts: readonly Uint8Array[];
  /** Bytes of the parts. */
  readonly length: number;
  /** Names and values in turn, the body's type and length and the request's id among them. */
  readonly headers: string[];
}

/** What sending a response needs to know of its call. */
export interface RespondingCall {
  readonly context: RestContext;
  readonly id: string;
  /** What the response holds of the byte budget. */
  readonly heldBytes: number;
  /** The body was asked for, by a client that waits for that (`Expect: 100-continue`) as well. */
  readonly isAskedForBody: boolean;
  /** Gives back what the response holds. */
  release(): void;
}

/** How the request of a call came, and where its response goes. */
export interface RestTransport {
  readonly request: RestRequest;
  /** The stream that it is a message of; undefined: it came alone. */
  readonly stream?: RequestStream | undefined;
  /** All of the body, when it came with the headers, of the length that they announced; undefined: it is to be read from `message`. */
  takeBody(): Buffer | undefined;
  /** Where the rest of a body comes from. */
  readonly message: Readable;
  /** All of the body has come. */
  readonly isComplete: boolean;
  readonly connection: CallConnection;
  /** Tells a client that asked first to send its body. */
  writeContinue(): void;
  /** Sends the response. Once. */
  respond(call: RespondingCall, response: EncodedResponse): void;
  /** Sends the head of a response that comes in pieces, in place of `respond`. */
  begin(call: RespondingCall, status: number, headers: readonly string[]): Writable;
}
