import { invariant } from "../../../base/errors.ts";

/** Vectors as JSON has them: lists of numbers, or base64 in quotes. */
export interface WorkerEmbeddings {
  readonly vectors: readonly Buffer[];
  /** Of all texts together. */
  readonly tokens: number;
}

const BEGINNING = Buffer.from('{"embedding":');
const TOKENS = Buffer.from(',"tokens":');
const [COMMA, ZERO, NINE, END] = [0x2c, 0x30, 0x39, 0x5d];

/**
 * Cuts what a task's worker answered for so many texts, `[{"embedding":…,"tokens":3},…]`, into its vectors, which are views on it. They may be megabytes of numbers, of which
 * nothing is read: that would keep everybody else waiting. Throws when it is anything else.
 */
export function cutEmbeddings(body: Buffer, count: number): WorkerEmbeddings {
  const vectors: Buffer[] = [];
  let [tokens, at] = [0, 1];
  while (at < body.length && body[at] !== END) {
    if (vectors.length > 0) at += Number(body[at] === COMMA);
    const [from, to] = [at + BEGINNING.length, body.indexOf(TOKENS, at)];
    invariant(to > from && body.subarray(at, from).equals(BEGINNING), "a worker answers with embeddings");
    vectors.push(body.subarray(from, to));
    at = to + TOKENS.length;
    let own = 0;
    for (; body[at]! >= ZERO && body[at]! <= NINE; at++) own = 10 * own + (body[at]! - ZERO);
    tokens += own;
    at += 1;
  }
  invariant(vectors.length === count, "a worker answers with an embedding for each text");
  return { vectors, tokens };
}
