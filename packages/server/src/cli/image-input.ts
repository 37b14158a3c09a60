import { ServeError } from "../base/errors.ts";

/** What OIP metadata says about one input; −1 is a size the caller chooses. */
export interface InputMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

interface Layout {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly channelsFirst: boolean;
}

function layoutOf(input: InputMetadata): Layout {
  const [, a, b, c] = input.shape;
  if (input.shape.length === 4 && (a === 1 || a === 3))
    return { channels: a, height: b!, width: c!, channelsFirst: true };
  if (input.shape.length === 4 && (c === 1 || c === 3))
    return { channels: c, height: a!, width: b!, channelsFirst: false };
  throw new ServeError(
    "invalid_argument",
    `input "${input.name}" has shape [${input.shape.join(", ")}], which is not an image ([batch, channels, height, width] with 1 or 3 channels); give the input as JSON`,
  );
}

/**
 * Decodes an image into the nested rows of one `[channels, height, width]` (or `[height, width, channels]`) tensor: grey or RGB as
 * the model asks, pixels divided by 255 for float inputs, 0–255 for UINT8. Throws `invalid_argument` when the image does not fit.
 */
export async function imageInput(
  bytes: Buffer,
  input: InputMetadata,
  options: { readonly resize: boolean },
): Promise<unknown> {
  const { default: sharp } = await import("sharp");
  const layout = layoutOf(input);
  let image = sharp(bytes).removeAlpha();
  const { width, height } = await image.metadata().catch((cause: unknown) => {
    throw new ServeError("invalid_argument", "the input file is not an image that can be read", { cause });
  });
  const fits =
    (layout.width < 0 || layout.width === width) && (layout.height < 0 || layout.height === height);
  if (!fits && !options.resize) {
    throw new ServeError(
      "invalid_argument",
      `the image is ${width}×${height}, the model takes ${layout.width}×${layout.height}; add --resize to scale it`,
    );
  }
  if (!fits) {
    image = image.resize(
      layout.width < 0 ? width : layout.width,
      layout.height < 0 ? height : layout.height,
      { fit: "fill" },
    );
  }
  image = layout.channels === 1 ? image.greyscale() : image.toColourspace("srgb");
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return nested(
    data,
    { ...layout, height: info.height, width: info.width },
    { step: info.channels, datatype: input.datatype },
  );
}

function nested(data: Buffer, layout: Layout, pixel: { step: number; datatype: string }): unknown {
  const scale = pixel.datatype === "UINT8" ? 1 : 1 / 255;
  const value = (y: number, x: number, c: number): number =>
    data[(y * layout.width + x) * pixel.step + c]! * scale;
  const rows = <T>(item: (y: number, x: number) => T): T[][] =>
    Array.from({ length: layout.height }, (_, y) =>
      Array.from({ length: layout.width }, (_, x) => item(y, x)),
    );
  const channels = Array.from({ length: layout.channels }, (_, c) => c);
  if (layout.channelsFirst) return channels.map((c) => rows((y, x) => value(y, x, c)));
  return rows((y, x) => channels.map((c) => value(y, x, c)));
}
