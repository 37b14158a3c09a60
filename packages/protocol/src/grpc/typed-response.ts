import { parametersSize, writeParameters } from "./infer-parameters.ts";
import { encodeModelInferResponse, encodeModelStreamInferResponse } from "./model-infer.ts";
import { responseHeadSize, type WireResponse, writeResponseHead } from "./wire-response.ts";
import { tensorHeadSize, writeTensorHead } from "./wire-tensor.ts";
import { fieldSize, NEW_BLOCKS, type Target, WireWriter } from "./wire-writer.ts";
import { type Contents, contentsOf, hasContents } from "./write-contents.ts";

/** `encodeModelInferResponse` with typed contents; raw all the same where an output has a datatype without such (FP16, BF16). */
export function encodeTypedInferResponse(response: WireResponse, target: Target = NEW_BLOCKS): Uint8Array {
  if (!isTypeable(response)) return encodeModelInferResponse(response, target);
  const typed = new TypedResponse(response);
  const writer = new WireWriter(typed.size, target);
  typed.write(writer);
  return writer.bytes;
}

/** The same for a response on ModelStreamInfer. */
export function encodeTypedStreamInferResponse(
  response: WireResponse,
  target: Target = NEW_BLOCKS,
): Uint8Array {
  if (!isTypeable(response)) return encodeModelStreamInferResponse(response, "", target);
  const typed = new TypedResponse(response);
  const writer = new WireWriter(fieldSize(typed.size), target);
  writer.open(2, typed.size);
  typed.write(writer);
  return writer.bytes;
}

function isTypeable({ outputs }: WireResponse): boolean {
  return outputs.every(({ datatype, isPlaced = false }) => !isPlaced && hasContents(datatype));
}

class TypedResponse {
  readonly size: number;
  readonly #response: WireResponse;
  readonly #contents: readonly Contents[];

  constructor(response: WireResponse) {
    const { outputs, parameters } = response;
    this.#response = response;
    this.#contents = outputs.map((output) => contentsOf(output));
    let size = responseHeadSize(response) + (parameters.size === 0 ? 0 : parametersSize(parameters));
    for (let i = 0; i < outputs.length; i++) size += fieldSize(this.#tensorSize(i));
    this.size = size;
  }

  write(writer: WireWriter): void {
    const { outputs, parameters } = this.#response;
    writeResponseHead(writer, this.#response);
    if (parameters.size > 0) writeParameters(writer, 4, parameters);
    for (let i = 0; i < outputs.length; i++) {
      writer.open(5, this.#tensorSize(i));
      writeTensorHead(writer, outputs[i]!);
      writer.open(5, this.#contents[i]!.size);
      this.#contents[i]!.write(writer);
    }
  }

  #tensorSize(index: number): number {
    return tensorHeadSize(this.#response.outputs[index]!) + fieldSize(this.#contents[index]!.size);
  }
}
