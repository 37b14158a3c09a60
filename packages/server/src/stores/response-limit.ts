import { type Readable, Transform, type TransformCallback } from "node:stream";
import { refused } from "./store-error.ts";

/** Names of a thousand objects, each as long as stores take, spelled as XML or JSON. */
export const MAX_RESPONSE_BYTES: number = 4 * 1024 * 1024;

/** That a store goes on and on where a list, or a word about an error, should be. */
export function tooLong(): Error {
  return refused(`it answers with more than ${MAX_RESPONSE_BYTES} bytes that are no content of a file`);
}

/** What a store answers with beside the contents of objects, up to a limit: then it fails, and `source` is destroyed. */
export class ResponseLimit extends Transform {
  readonly #source: Readable;
  #bytes = 0;

  constructor(source: Readable) {
    super();
    this.#source = source;
    source.once("error", (error) => this.destroy(error));
    source.once("close", () => {
      if (!source.readableEnded) this.destroy(source.errored ?? undefined);
    });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > MAX_RESPONSE_BYTES) done(tooLong());
    else done(null, chunk);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#source.destroy();
    done(error);
  }
}
