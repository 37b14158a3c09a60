// What the WAV reader and the page share: messages to the server, and where speech begins and ends.

export const RATE = 16_000;
export const CHUNK = 512;

/** Chunks of silence that end a segment, so that a breath does not. */
const PATIENCE = 10;
const BEGINS_AT = 0.5;
const ENDS_BELOW = 0.35;

/** A chunk as the server's WebSocket takes it: no JSON (a length of 0), then the model's only input. */
export function messageOf(chunk) {
  const message = new Uint8Array(4 + 4 * CHUNK);
  new Float32Array(message.buffer, 4).set(chunk);
  return message;
}

/** The probability of speech in an answer: JSON with the length in front, then one float. Throws what the server says is wrong. */
export function probabilityOf(data) {
  if (typeof data === "string") throw new Error(JSON.parse(data).error);
  const view = new DataView(data);
  return view.getFloat32(4 + view.getUint32(0, true), true);
}

/** Told of one probability after the other; calls `onSegment` with seconds when a stretch of speech is over. */
export class SpeechSegments {
  #onSegment;
  #chunks = 0;
  #begin;
  #silent = 0;

  constructor(onSegment) {
    this.#onSegment = onSegment;
  }

  get isSpeech() {
    return this.#begin !== undefined;
  }

  add(probability) {
    if (probability >= BEGINS_AT) this.#begin ??= this.#chunks;
    this.#silent = probability < ENDS_BELOW ? this.#silent + 1 : 0;
    this.#chunks++;
    if (this.#begin !== undefined && this.#silent >= PATIENCE) this.#close(this.#chunks - PATIENCE);
  }

  end() {
    if (this.#begin !== undefined) this.#close(this.#chunks - this.#silent);
  }

  #close(end) {
    const seconds = (chunks) => (chunks * CHUNK) / RATE;
    this.#onSegment({ begin: seconds(this.#begin), end: seconds(end) });
    this.#begin = undefined;
  }
}
