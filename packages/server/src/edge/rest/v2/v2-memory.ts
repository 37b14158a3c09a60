import type { RestLimits } from "../../rest-limits.ts";
import { NONE } from "../json/parameters.ts";
import { readPlainNumbers } from "../json/plain-numbers.ts";
import type { V2Request } from "./v2-request.ts";

/** Texts longer than this around the data are not worth keeping. */
const MAX_TEXT_BYTES = 1024;
const MAX_MODELS = 256;

/** A request, and the text before and behind the data of its only input. */
interface Kept {
  readonly before: Buffer;
  readonly after: Buffer;
  readonly request: V2Request;
}

/**
 * The last v2 request of each model that had one input as JSON and no parameters. Clients send the same text around other numbers again and again:
 * then it means the same again, and only the numbers are read.
 */
export class V2Memory {
  readonly #kept = new Map<string, Kept>();

  /** A request whose text around the data is the one kept last for its model. */
  recall(model: string, body: Buffer, limits: RestLimits): V2Request | undefined {
    const kept = this.#kept.get(model);
    if (kept === undefined) return undefined;
    const { before, after, request } = kept;
    const [start, end] = [before.length, body.length - after.length];
    if (end < start || body.compare(before, 0, start, 0, start) !== 0) return undefined;
    if (body.compare(after, 0, after.length, end) !== 0) return undefined;
    const input = request.inputs[0]!;
    const tensor = readPlainNumbers(body, { start, end }, input, limits);
    if (tensor === undefined) return undefined;
    const { datatype, shape, bytes } = tensor;
    return { ...request, inputs: [{ name: input.name, datatype, shape, bytes }] };
  }

  keep(model: string, body: Buffer, request: V2Request): void {
    const { data, inputs, parameters } = request;
    if (data === undefined || inputs[0]!.datatype === "BYTES" || parameters !== NONE) return;
    if (data.start > MAX_TEXT_BYTES || body.length - data.end > MAX_TEXT_BYTES) return;
    if (this.#kept.size >= MAX_MODELS) this.#kept.clear();
    const none = new Uint8Array(0);
    this.#kept.set(model, {
      before: Buffer.from(body.subarray(0, data.start)),
      after: Buffer.from(body.subarray(data.end)),
      request: { ...request, inputs: [{ ...inputs[0]!, bytes: none }] },
    });
  }
}
