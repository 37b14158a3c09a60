import type { NamedTensor } from "../../../base/tensor.ts";
import { bad } from "../read-request.ts";
import { unfit } from "../side-files.ts";
import type { TaskContext, TaskInput } from "../task-processor.ts";
import { decodeImage } from "./decode-image.ts";
import { type ImageProcessor, type PlanarImage, readImageProcessor } from "./image-processor.ts";
import type { Size } from "./image-size.ts";

export interface ImageReader {
  readonly kind: ImageProcessor["kind"];
  /** Throws `invalid_argument`. */
  read(input: TaskInput): Promise<ImageInputs>;
}

export interface ImageInputs {
  /** The size of the image as it came. */
  readonly original: Size;
  readonly tensors: readonly NamedTensor[];
}

const NAMES = ["pixel_values", "pixel_mask"];

/** Finds out how images become the model's inputs. Throws `failed_precondition`. */
export function createImageReader({ files, inputs }: TaskContext): ImageReader {
  const processor = readImageProcessor(files);
  const pixels =
    inputs.find(({ name, aliases }) => name === NAMES[0] || aliases?.includes(NAMES[0]!)) ??
    (inputs.length === 1 ? inputs[0] : undefined);
  const mask = inputs.find(({ name }) => name === NAMES[1]);
  if (pixels === undefined || pixels.dims.length !== 4 || pixels.datatype !== "FP32") {
    throw unfit(
      "the model takes no image: expected an input pixel_values, FP32 [batch, 3, height, width]; name it in model.yaml (rename)",
    );
  }
  const surplus = inputs.find((spec) => spec !== pixels && spec !== mask);
  if (surplus !== undefined)
    throw unfit(`the model takes ${JSON.stringify(surplus.name)} as well, which no image has`);
  const read = async (input: TaskInput): Promise<ImageInputs> => {
    if (input.kind !== "bytes") throw bad("input", "expected an image file: its bytes, or a text of base64");
    const image = await decodeImage(input.bytes);
    const made = processor.process(image);
    const tensors = [pixelTensor(pixels.name, made)];
    if (mask !== undefined) tensors.push(maskTensor(mask.name, made));
    return { original: [image.height, image.width], tensors };
  };
  return { kind: processor.kind, read };
}

function pixelTensor(name: string, { height, width, values }: PlanarImage): NamedTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, datatype: "FP32", shape: [1, 3, height, width], bytes };
}

/** All of it is image. */
function maskTensor(name: string, { height, width }: PlanarImage): NamedTensor {
  const ones = new BigInt64Array(height * width).fill(1n);
  return { name, datatype: "INT64", shape: [1, height, width], bytes: new Uint8Array(ones.buffer) };
}
