/** One channel of sound; several are mixed. */
export interface Sound {
  /** Samples per second. */
  readonly rate: number;
  /** From −1 to 1. */
  readonly samples: Float32Array;
}

/** 17 minutes at 16 kHz; of what a file holds, and of what it becomes at another rate. */
export const MAX_SAMPLES: number = 2 ** 24;
const FIRST_SAMPLES = 2 ** 16;

/** A sound that is made piece by piece, and never longer than `MAX_SAMPLES`. `unread` makes what is thrown. */
export class SoundDraft {
  readonly #rate: number;
  readonly #unread: (why: string) => Error;
  #samples = new Float32Array(FIRST_SAMPLES);
  #length = 0;

  constructor(rate: number, unread: (why: string) => Error) {
    this.#rate = rate;
    this.#unread = unread;
  }

  /** To be asked before so many samples are made. Throws when that is too many. */
  reserve(count: number): void {
    const length = this.#length + count;
    if (length > MAX_SAMPLES) throw this.#unread(`it is longer than ${MAX_SAMPLES} samples`);
    if (length <= this.#samples.length) return;
    const grown = new Float32Array(Math.min(MAX_SAMPLES, Math.max(length, 2 * this.#samples.length)));
    grown.set(this.#samples.subarray(0, this.#length));
    this.#samples = grown;
  }

  /** `count` samples of all channels, from −`full` to `full`. */
  add(channels: readonly ArrayLike<number>[], count: number, full: number): void {
    this.reserve(count);
    const scale = channels.length * full;
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i]!;
      this.#samples[this.#length + i] = sum / scale;
    }
    this.#length += count;
  }

  finish(): Sound {
    if (this.#length === 0) throw this.#unread("there is no sound in it");
    return { rate: this.#rate, samples: this.#samples.subarray(0, this.#length) };
  }
}
