import { ServeError } from "../../../base/errors.ts";
import { isObject, type SideFiles, unfit } from "../side-files.ts";
import type { Pixels } from "./decode-image.ts";
import { IMAGE_KINDS, type ImageKind, plainSize, RESAMPLES, type SizeSetting } from "./image-kinds.ts";
import type { Size } from "./image-size.ts";
import { FILTERS, type Filter, resizeImage } from "./resize.ts";

/** An image as a model takes it. */
export interface PlanarImage {
  readonly height: number;
  readonly width: number;
  /** Three planes of float32, red first where the processor does not say otherwise. */
  readonly values: Float32Array;
}

/** Makes of an image what a model takes, as `preprocessor_config.json` says. */
export interface ImageProcessor {
  /** The name of its class without `ImageProcessor`. */
  readonly kind: string;
  /** Throws `invalid_argument` for an image of impossible proportions. */
  process(image: Pixels): PlanarImage;
}

const FILE = "preprocessor_config.json";
/** Edges of an image after it was resized: a strip of 1 × 8000 would become millions of pixels long. */
const MAX_EDGE = 8192;
const MAX_PIXELS = 2 ** 25;

/** Reads preprocessor_config.json. Throws `failed_precondition` for what is not known here. */
export function readImageProcessor(files: SideFiles): ImageProcessor {
  const config = files.needJson(FILE, "how images are resized and normalised");
  const name = kindName(config);
  const kind = kindOf(config, name);
  if (isObject(config["pad_size"])) throw unfit(`${FILE}: pad_size is not known here`);
  const resizes = flag(config, "do_resize", true);
  const filter = filterOf(config, kind);
  const size = sizeOf(config["size"], kind.size, kind.isSquare === true);
  const crops = flag(config, "do_center_crop", kind.crops === true);
  const crop = crops ? cropOf(config, kind) : kind.cropOf?.(size);
  const cropPct = number(config, "crop_pct", 224 / 256);
  const tables = valueTables(config, kind);
  const divisor = kind.sizeDivisor === undefined ? 0 : number(config, "size_divisor", kind.sizeDivisor);
  const flips = flag(config, "do_flip_channel_order", kind.flips === true);
  return {
    kind: name,
    process(image) {
      const from: Size = [image.height, image.width];
      const to = divisible(kind.sizeOf?.(from, size, cropPct) ?? plainSize(from, size), divisor);
      if (resizes) checkSize(from, to);
      const whole: Size = resizes ? to : from;
      const wanted = crop ?? whole;
      // What is cut away is not worked out, where the cut lies inside.
      const isInside = wanted[0] <= whole[0] && wanted[1] <= whole[1];
      const [height, width] = isInside ? wanted : whole;
      const region = { ...cropPlace(whole, [height, width]), height, width };
      return planar(resizeImage(image, whole, filter, region), wanted, { tables, flips });
    },
  };
}

/** `divisor` 0: as it is. */
function divisible([height, width]: Size, divisor: number): Size {
  if (divisor <= 0) return [height, width];
  return [Math.ceil(height / divisor) * divisor, Math.ceil(width / divisor) * divisor];
}

function kindName(config: Readonly<Record<string, unknown>>): string {
  const named = config["image_processor_type"] ?? config["feature_extractor_type"];
  return String(named ?? "").replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, "");
}

function kindOf(config: Readonly<Record<string, unknown>>, name: string): ImageKind {
  const kind = Object.hasOwn(IMAGE_KINDS, name) ? IMAGE_KINDS[name] : undefined;
  if (kind !== undefined) return kind;
  const known = Object.keys(IMAGE_KINDS).join(", ");
  throw unfit(
    `${FILE}: image_processor_type ${JSON.stringify(config["image_processor_type"] ?? name).slice(0, 80)} is not known; there are ${known} (each with ImageProcessor behind it)`,
  );
}

function filterOf(config: Readonly<Record<string, unknown>>, kind: ImageKind): Filter {
  const resample = number(config, "resample", kind.resample);
  const name = Object.entries(FILTERS).find(([, value]) => value === resample)?.[0];
  if (name === undefined)
    throw unfit(`${FILE}: resample ${resample} is not known; there are ${RESAMPLES.join(", ")}`);
  return name as Filter;
}

function cropOf(config: Readonly<Record<string, unknown>>, kind: ImageKind): Size {
  const { height, width } = sizeOf(config["crop_size"], kind.cropSize ?? kind.size, true);
  if (height === undefined || width === undefined) throw unfit(`${FILE}: crop_size has no height and width`);
  return [height, width];
}

const SIZE_KEYS = ["height", "width", "shortest_edge", "longest_edge", "max_height", "max_width"] as const;

function sizeOf(given: unknown, byDefault: SizeSetting, isSquare: boolean): SizeSetting {
  if (given === undefined || given === null) return byDefault;
  if (typeof given === "number") {
    const edge = edgeOf(given);
    return isSquare ? { height: edge, width: edge } : { shortest_edge: edge };
  }
  if (!isObject(given)) throw unfit(`${FILE}: a size is neither a number nor an object`);
  const size: { -readonly [K in keyof SizeSetting]: number } = {};
  for (const key of SIZE_KEYS) {
    const value = given[key];
    if (value !== undefined && value !== null) size[key] = edgeOf(value);
  }
  return size;
}

function edgeOf(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_EDGE) return value;
  throw unfit(`${FILE}: a size is not a whole number from 1 to ${MAX_EDGE}`);
}

/** What each byte of each channel becomes, rounded where PyTorch rounds. */
function valueTables(config: Readonly<Record<string, unknown>>, kind: ImageKind): readonly Float32Array[] {
  const rescales = flag(config, "do_rescale", true);
  const normalizes = flag(config, "do_normalize", kind.normalizes !== false);
  const factor = number(config, "rescale_factor", 1 / 255);
  const unit = rescales && normalizes ? Math.fround(1 / factor) : 1;
  return [0, 1, 2].map((channel) => {
    const mean = Math.fround(Math.fround(channelOf(config, "image_mean", kind.mean, channel)) * unit);
    const std = Math.fround(Math.fround(channelOf(config, "image_std", kind.std, channel)) * unit);
    return Float32Array.from({ length: 256 }, (_, byte) => {
      if (normalizes) return Math.fround(byte - mean) / std;
      return rescales ? byte * Math.fround(factor) : byte;
    });
  });
}

function channelOf(
  config: Readonly<Record<string, unknown>>,
  name: string,
  byDefault: readonly number[],
  channel: number,
): number {
  const given = config[name] ?? byDefault;
  const value: unknown = Array.isArray(given) ? given[channel] : given;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unfit(`${FILE}: ${name} is not a list of three numbers`);
}

function flag(config: Readonly<Record<string, unknown>>, name: string, byDefault: boolean): boolean {
  const value = config[name] ?? byDefault;
  if (typeof value === "boolean") return value;
  throw unfit(`${FILE}: ${name} is neither true nor false`);
}

function number(config: Readonly<Record<string, unknown>>, name: string, byDefault: number): number {
  const value = config[name] ?? byDefault;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw unfit(`${FILE}: ${name} is not a number`);
}

function checkSize([height, width]: Size, [toHeight, toWidth]: Size): void {
  const fits = Math.max(toHeight, toWidth) <= MAX_EDGE && toHeight * toWidth <= MAX_PIXELS;
  if (fits && Math.min(toHeight, toWidth) >= 1) return;
  throw new ServeError(
    "invalid_argument",
    `input: the image has ${width}×${height} pixels, and would be resized to ${toWidth}×${toHeight}; send one that is less narrow`,
    { reason: "invalid_input" },
  );
}

interface Planes {
  readonly tables: readonly Float32Array[];
  readonly flips: boolean;
}

/** Cuts `crop` out of the middle, with black around an image that is smaller. */
function planar(image: Pixels, [height, width]: Size, { tables, flips }: Planes): PlanarImage {
  const values = new Float32Array(3 * height * width);
  const place = cropPlace([image.height, image.width], [height, width]);
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel]!;
    const source = flips ? 2 - channel : channel;
    let at = channel * height * width;
    for (let y = 0; y < height; y++) {
      const row = y + place.top;
      if (row < 0 || row >= image.height) {
        values.fill(table[0]!, at, at + width);
        at += width;
        continue;
      }
      let from = 3 * (row * image.width + place.left) + source;
      for (let x = 0; x < width; x++, from += 3) {
        const column = x + place.left;
        values[at++] = table[column < 0 || column >= image.width ? 0 : image.data[from]!]!;
      }
    }
  }
  return { height, width, values };
}

/** Where the cut begins: before the image's own edge where that is smaller. */
function cropPlace(
  [tall, wide]: Size,
  [height, width]: Size,
): { readonly top: number; readonly left: number } {
  const padTop = height > tall ? Math.trunc((height - tall) / 2) : 0;
  const padLeft = width > wide ? Math.trunc((width - wide) / 2) : 0;
  const top = Math.trunc((Math.max(tall, height) - height) / 2);
  const left = Math.trunc((Math.max(wide, width) - width) / 2);
  return { top: top - padTop, left: left - padLeft };
}
