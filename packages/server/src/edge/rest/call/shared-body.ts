import { type Encoding, pack } from "./compress.ts";

/** The body of a response that many are sent: compressed once for each encoding, when somebody first asks for it. */
export class SharedBody {
  readonly bytes: Buffer;
  readonly #packed = new Map<Encoding, Promise<Buffer>>();

  constructor(text: string) {
    this.bytes = Buffer.from(text);
  }

  packed(encoding: Encoding): Promise<Buffer> {
    const known = this.#packed.get(encoding);
    if (known !== undefined) return known;
    const made = pack(this.bytes, encoding);
    this.#packed.set(encoding, made);
    return made;
  }
}
