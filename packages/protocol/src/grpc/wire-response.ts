import type { InferParameterValue } from "./infer-parameters.ts";
import type { WireTensor } from "./wire-tensor.ts";
import { textFieldSize, textSize, type WireWriter } from "./wire-writer.ts";

/** What an answer message says. */
export interface WireResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly parameters: ReadonlyMap<string, InferParameterValue>;
  readonly outputs: readonly WireTensor[];
}

/** Bytes of fields 1–3, which every dialect's answer begins with. */
export function responseHeadSize({ model, version, id = "" }: WireResponse): number {
  return textFieldSize(model) + textFieldSize(version) + textFieldSize(id);
}

export function writeResponseHead(writer: WireWriter, { model, version, id = "" }: WireResponse): void {
  writer.text(1, model, textSize(model));
  writer.text(2, version, textSize(version));
  writer.text(3, id, textSize(id));
}
