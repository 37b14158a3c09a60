/** Reads whole numbers of any number of bits, the most significant first. `short` makes what is thrown where the bytes end. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #short: () => Error;
  /** Of the next bit. */
  #at = 0;

  constructor(bytes: Uint8Array, short: () => Error) {
    this.#bytes = bytes;
    this.#short = short;
  }

  /** Whole bytes that are left. */
  get bytesLeft(): number {
    return this.#bytes.length - Math.ceil(this.#at / 8);
  }

  alignToByte(): void {
    this.#at = Math.ceil(this.#at / 8) * 8;
  }

  /** From the beginning of a byte. */
  skipBytes(count: number): void {
    if (count < 0 || count > this.bytesLeft) throw this.#short();
    this.#at += count * 8;
  }

  /** Up to 33 bits, without a sign. */
  bits(count: number): number {
    if (this.#at + count > this.#bytes.length * 8) throw this.#short();
    let value = 0;
    for (let left = count; left > 0; ) {
      const inByte = 8 - (this.#at % 8);
      const taken = Math.min(inByte, left);
      const bits = (this.#bytes[this.#at >>> 3]! >>> (inByte - taken)) & ((1 << taken) - 1);
      value = value * 2 ** taken + bits;
      this.#at += taken;
      left -= taken;
    }
    return value;
  }

  /** The same as two's complement. */
  signed(count: number): number {
    const value = this.bits(count);
    return value >= 2 ** (count - 1) ? value - 2 ** count : value;
  }

  /** How many zeros come before the next one, which is read, too. Throws past `most`. */
  zeros(most: number): number {
    let count = 0;
    while (this.bits(1) === 0) {
      count += 1;
      if (count > most) throw this.#short();
    }
    return count;
  }
}
