import type { DescMethod } from "@bufbuild/protobuf";
import { ServeError } from "../../../base/errors.ts";
import { connectError, type RpcEnd } from "./connect-status.ts";
import { EnvelopeConverter, framed, messageIn } from "./envelopes.ts";
import { binaryOf, jsonOf, MAX_JSON_BYTES } from "./message-json.ts";

/** How a protocol spells a call whose messages come in envelopes: from its bytes to gRPC's frames, and back. */
export interface RpcWire {
  readonly contentType: string;
  /** What came, as gRPC's frames. Throws `invalid_argument`, `resource_exhausted`. */
  read(bytes: Buffer): Buffer;
  /** The same at the body's end. */
  readRest(): Buffer;
  /** One of gRPC's frames. Throws `resource_exhausted`. */
  write(frame: Buffer): Buffer;
  /** What ends a response, however it ended. */
  end(end: RpcEnd): Buffer;
}

const NOTHING: Buffer = Buffer.alloc(0);
/** Where lines are broken in base64. */
const SPACES = /[\t\n\r ]+/g;
/** Flags of the envelope with which each protocol ends a response. */
const GRPC_WEB_END = 0x80;
const CONNECT_END = 0x02;

/** gRPC-Web: gRPC's frames, and its trailers in one more. */
export function grpcWebWire(contentType: string): RpcWire {
  return {
    contentType,
    read: (bytes) => bytes,
    readRest: () => NOTHING,
    write: (frame) => frame,
    end: ({ status, message, metadata }) => {
      const lines = [
        ["grpc-status", String(status)],
        ["grpc-message", encodeURIComponent(message)],
        ...metadata,
      ];
      const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      return framed(Buffer.from(text, "latin1"), GRPC_WEB_END);
    },
  };
}

/** The same in base64, for clients that cannot read bytes. */
export function grpcWebTextWire(contentType: string): RpcWire {
  const wire = grpcWebWire(contentType);
  let left = "";
  const decode = (text: string): Buffer =>
    Buffer.concat(text.match(/[^=]+={0,2}/g)?.map((part) => Buffer.from(part, "base64")) ?? []);
  return {
    ...wire,
    read(bytes) {
      const text = left + bytes.toString("latin1").replace(SPACES, "");
      if (/[^A-Za-z0-9+/=]/.test(text)) throw notBase64();
      // Each padded piece is as long as a multiple of four, and so is what precedes it.
      const whole = text.length - (text.length % 4);
      left = text.slice(whole);
      return decode(text.slice(0, whole));
    },
    readRest() {
      // Padding says nothing at the end of a body; one character alone is less than a byte.
      if (left.length === 1 || left.includes("=")) throw notBase64();
      return Buffer.from(left, "base64");
    },
    write: (frame) => Buffer.from(frame.toString("base64"), "latin1"),
    end: (end) => Buffer.from(wire.end(end).toString("base64"), "latin1"),
  };
}

/** Connect's streams: the same envelopes, and an end that is JSON. */
export function connectWire(contentType: string, json: DescMethod | undefined): RpcWire {
  const plain: RpcWire = {
    contentType,
    read: (bytes) => bytes,
    readRest: () => NOTHING,
    write: (frame) => frame,
    end(end) {
      const error = end.status === 0 ? {} : { error: connectError(end).error };
      const metadata = Object.fromEntries(end.metadata.map(([name, value]) => [name, [value]]));
      return framed(Buffer.from(JSON.stringify({ ...error, metadata })), CONNECT_END);
    },
  };
  if (json === undefined) return plain;
  const converter = new EnvelopeConverter(MAX_JSON_BYTES, (message) => binaryOf(json.input, message));
  return {
    ...plain,
    read: (bytes) => converter.write(bytes),
    readRest: () => converter.rest(),
    write: (frame) => framed(jsonOf(json.output, messageIn(frame))),
  };
}

function notBase64(): ServeError {
  return new ServeError("invalid_argument", "the body is not base64, as its Content-Type says", {
    reason: "malformed_message",
  });
}
