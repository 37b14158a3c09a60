import { createGunzip, createInflate, type Gunzip, type Inflate } from "node:zlib";
import { ServeError } from "../../../base/errors.ts";
import { SMALL_BYTES } from "../../../gate/byte-budget.ts";
import type { Transfer } from "../../../gate/slow-client-guard.ts";
import type { Door } from "../../../infer/inference.ts";
import { copying } from "../../copying.ts";
import { checkInflatedSize } from "../../inflated-size.ts";
import type { RestCall } from "./rest-call.ts";
import type { RestRequest } from "./rest-transport.ts";

/**
 * Reads a request's body into one buffer, decompressed. Its announced size is paid for from the budget before the first byte is read;
 * what was not announced (chunked, compressed) is paid for as it comes. `door`: where the request is going, which may reject it before
 * that. Throws what it rejects with, `resource_exhausted`/`body_too_large`, `invalid_argument`, `unavailable` when the budget is used up,
 * `cancelled` when the client left.
 */
export function readBody(
  call: RestCall,
  door?: Door,
  { takesMultipart = false }: { readonly takesMultipart?: boolean } = {},
): Buffer | Promise<Buffer> {
  const { request } = call;
  const { maxBodyBytes } = call.context.limits;
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBodyBytes) throw tooLarge(maxBodyBytes);
  if (!takesMultipart) rejectMultipart(request);
  const coding = codingOf(request.headers["content-encoding"]);
  const rejection = door?.rejectEarly(call);
  if (rejection !== undefined) throw rejection;
  if (door?.rejectLater !== undefined && isWorthAsking(request)) {
    return door.rejectLater(call).then((later) => {
      if (later !== undefined) throw later;
      return readOn(call, { announced, coding });
    });
  }
  return readOn(call, { announced, coding });
}

/** Whether a body costs more than to ask first whether it is wanted. */
function isWorthAsking({ headers }: RestRequest): boolean {
  const length = headers["content-length"];
  return headers.expect !== undefined || length === undefined || Number(length) > SMALL_BYTES;
}

type Coding = ReturnType<typeof codingOf>;

function readOn(
  call: RestCall,
  { announced, coding }: { readonly announced: number; readonly coding: Coding },
): Buffer | Promise<Buffer> {
  const { request } = call;
  call.enter(announced);
  if (request.headers.expect !== undefined) call.continue();
  if (coding === "identity") return call.transport.takeBody() ?? collected(call, announced);
  return inflated(call, coding === "gzip" ? createGunzip() : createInflate());
}

/** A body as it comes in, decompressed or not. */
interface ArrivingBody extends Transfer {
  moved: number;
  heldBytes: number;
}

function collected(call: RestCall, announced: number): Promise<Buffer> {
  const request = call.transport.message;
  const { slowClients, limits } = call.context;
  const { maxBodyBytes, maxBodyChunks } = limits;
  const chunks: Buffer[] = [];
  let size = 0;
  const complete = new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      slowClients.unwatch(arriving);
      request.removeAllListeners("data");
      // The rest is thrown away as it comes, and what has come is not needed any more.
      request.resume();
      chunks.length = 0;
      call.release();
      reject(error);
    };
    const arriving: ArrivingBody = {
      startedMs: slowClients.nowMs(),
      moved: 0,
      heldBytes: announced,
      end: fail,
    };
    slowClients.watch(arriving);
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      arriving.moved = size;
      if (size > maxBodyBytes) return fail(tooLarge(maxBodyBytes));
      if (chunks.push(chunk) > maxBodyChunks) return fail(tooManyChunks(maxBodyChunks));
      if (size <= arriving.heldBytes) return;
      try {
        call.grow(size - arriving.heldBytes);
      } catch (error) {
        return fail(error);
      }
      arriving.heldBytes = size;
    });
    request.on("end", () => {
      slowClients.unwatch(arriving);
      resolve();
    });
    // Without an error listener, a connection that breaks shows as a close before the end.
    request.on("close", () => {
      slowClients.unwatch(arriving);
      if (!call.transport.isComplete) reject(clientLeft());
    });
  });
  return complete.then(() => joined(call, chunks, size));
}

/** Up to here bytes are copied in less than a slice. */
const ONE_COPY_BYTES = 512 * 1024;
/** All chunks in one buffer; large ones are copied in slices, since fresh memory is slow to write to. */
function joined(call: RestCall, chunks: readonly Buffer[], size: number): Buffer | Promise<Buffer> {
  if (chunks.length === 1) return chunks[0]!;
  if (size <= ONE_COPY_BYTES) return Buffer.concat(chunks, size);
  const whole = Buffer.allocUnsafeSlow(size);
  let at = 0;
  const copies = chunks.map((contents) => {
    const placed = { at, contents };
    at += contents.length;
    return placed;
  });
  return call.context.slicer
    .open(size)
    .finish(copying(whole, copies))
    .then(() => whole);
}

async function inflated(call: RestCall, inflate: Gunzip | Inflate): Promise<Buffer> {
  const { context, transport } = call;
  const request = transport.message;
  const inflateLimits = { maxBytes: context.limits.maxBodyBytes, maxRatio: context.limits.maxInflateRatio };
  const chunks: Buffer[] = [];
  let size = 0;
  const arriving: ArrivingBody = {
    startedMs: context.slowClients.nowMs(),
    moved: 0,
    heldBytes: call.heldBytes,
    end(error) {
      chunks.length = 0;
      call.release();
      inflate.destroy(error);
    },
  };
  context.slowClients.watch(arriving);
  request.on("data", (chunk: Buffer) => {
    arriving.moved += chunk.length;
  });
  request.on("close", () => {
    if (!transport.isComplete) inflate.destroy(clientLeft());
  });
  request.pipe(inflate);
  try {
    // The decompressor works one chunk ahead at most, so a bomb is found out after its first chunk too many.
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      size += chunk.length;
      checkInflatedSize("body", { inflated: size, compressed: arriving.moved }, inflateLimits);
      call.grow(chunk.length);
      arriving.heldBytes += chunk.length;
      chunks.push(chunk);
    }
  } catch (error) {
    request.unpipe(inflate);
    request.resume();
    if (error instanceof ServeError) throw error;
    throw new ServeError(
      "invalid_argument",
      "the body is not valid compressed data as its Content-Encoding says",
      {
        reason: "bad_compression",
        cause: error,
      },
    );
  } finally {
    context.slowClients.unwatch(arriving);
  }
  return joined(call, chunks, size);
}

function codingOf(encoding: string | undefined): "identity" | "gzip" | "deflate" {
  switch (encoding?.toLowerCase()) {
    case undefined:
    case "":
    case "identity":
      return "identity";
    case "gzip":
    case "x-gzip":
      return "gzip";
    case "deflate":
      return "deflate";
    default:
      throw new ServeError("invalid_argument", "Content-Encoding: expected gzip or deflate, once", {
        reason: "unsupported_encoding",
      });
  }
}

function rejectMultipart(request: RestRequest): void {
  if (request.headers["content-type"]?.toLowerCase().startsWith("multipart/") !== true) return;
  throw new ServeError(
    "invalid_argument",
    "Content-Type: multipart bodies are not accepted here; send JSON",
    {
      reason: "unsupported_media_type",
    },
  );
}

function tooLarge(limit: number): ServeError {
  return new ServeError(
    "resource_exhausted",
    `the body is larger than ${limit} bytes, the most this server accepts`,
    {
      reason: "body_too_large",
    },
  );
}

function tooManyChunks(limit: number): ServeError {
  return new ServeError(
    "resource_exhausted",
    `the body came in more than ${limit} chunks; send larger ones`,
    {
      reason: "body_too_large",
    },
  );
}

function clientLeft(): ServeError {
  return new ServeError("cancelled", "the client closed the connection while sending its request");
}
