import { aspectSize, maxSize, type Size, shortestSize, yolosSize } from "./image-size.ts";

/** The sizes that preprocessor_config.json may name. */
export interface SizeSetting {
  readonly height?: number;
  readonly width?: number;
  readonly shortest_edge?: number;
  readonly longest_edge?: number;
  readonly max_height?: number;
  readonly max_width?: number;
}

/** What a kind of image processor does where preprocessor_config.json does not say, and what it does in a way of its own. */
export interface ImageKind {
  readonly resample: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly size: SizeSetting;
  readonly cropSize?: SizeSetting;
  /** A plain number for a size is both edges, else the shortest one. Default: false. */
  readonly isSquare?: boolean;
  readonly crops?: boolean;
  readonly normalizes?: boolean;
  /** Blue comes first. */
  readonly flips?: boolean;
  /** Default: `plainSize`. */
  sizeOf?(image: Size, size: SizeSetting, cropPct: number): Size;
  /** Edges are made longer until this divides them, unless the file says another number; undefined: any edge will do. */
  readonly sizeDivisor?: number;
  /** What is cut out of the middle whatever `do_center_crop` says; undefined: nothing. */
  cropOf?(size: SizeSetting): Size | undefined;
}

const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const CLIP = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
const [NEAREST, BILINEAR, BICUBIC] = [0, 2, 3];
const SQUARE = { height: 224, width: 224 };
const SHORTEST = { shortest_edge: 224 };
const DETR_SIZE = { shortest_edge: 800, longest_edge: 1333 };

const detr: ImageKind = { resample: BILINEAR, ...IMAGENET, size: DETR_SIZE };
const bit: ImageKind = {
  resample: BICUBIC,
  ...CLIP,
  size: SHORTEST,
  cropSize: SQUARE,
  crops: true,
};
const mobileNet: ImageKind = {
  resample: BILINEAR,
  ...HALF,
  size: { shortest_edge: 256 },
  cropSize: SQUARE,
  crops: true,
};

/** By the name of the class, without `ImageProcessor`. */
export const IMAGE_KINDS: Readonly<Record<string, ImageKind>> = {
  ViT: { resample: BILINEAR, ...HALF, size: SQUARE, isSquare: true },
  DeiT: {
    resample: BICUBIC,
    ...HALF,
    size: { height: 256, width: 256 },
    cropSize: SQUARE,
    isSquare: true,
    crops: true,
  },
  Beit: { resample: BICUBIC, ...HALF, size: SQUARE, cropSize: SQUARE, isSquare: true },
  CLIP: bit,
  Bit: bit,
  Siglip: { resample: BICUBIC, ...HALF, size: SQUARE },
  MobileNetV1: mobileNet,
  MobileNetV2: mobileNet,
  MobileViT: {
    resample: BICUBIC,
    ...HALF,
    size: SHORTEST,
    cropSize: { height: 256, width: 256 },
    crops: true,
    normalizes: false,
    flips: true,
  },
  Levit: {
    resample: BICUBIC,
    ...IMAGENET,
    size: SHORTEST,
    cropSize: SQUARE,
    crops: true,
    sizeOf(image, size) {
      const edge = size.shortest_edge;
      return edge === undefined
        ? plainSize(image, size)
        : shortestSize(image, Math.trunc((256 / 224) * edge));
    },
  },
  ConvNext: {
    resample: BICUBIC,
    ...HALF,
    size: { shortest_edge: 384 },
    sizeOf(image, { shortest_edge: edge = 384 }, cropPct) {
      return edge < 384 ? shortestSize(image, Math.trunc(edge / cropPct)) : [edge, edge];
    },
    cropOf({ shortest_edge: edge = 384 }) {
      return edge < 384 ? [edge, edge] : undefined;
    },
  },
  Segformer: { resample: BILINEAR, ...IMAGENET, size: { height: 512, width: 512 }, isSquare: true },
  Detr: detr,
  ConditionalDetr: detr,
  MaskFormer: { ...detr, sizeDivisor: 32 },
  DeformableDetr: detr,
  RTDetr: { ...detr, size: { height: 640, width: 640 }, normalizes: false },
  Yolos: {
    ...detr,
    sizeOf(image, size) {
      const { shortest_edge: shortest, longest_edge: longest } = size;
      if (shortest === undefined || longest === undefined) return plainSize(image, size);
      return yolosSize(image, [shortest, longest]);
    },
  },
};

/** The numbers of PIL's filters that there are. */
export const RESAMPLES: readonly number[] = [NEAREST, 1, BILINEAR, BICUBIC];

/** The size of an image after it was resized to what a setting says. */
export function plainSize(image: Size, size: SizeSetting): Size {
  const { height, width, shortest_edge: shortest, longest_edge: longest } = size;
  if (shortest !== undefined && longest !== undefined) return aspectSize(image, [shortest, longest]);
  if (shortest !== undefined) return shortestSize(image, shortest);
  const { max_height: maxHeight, max_width: maxWidth } = size;
  if (maxHeight !== undefined && maxWidth !== undefined) return maxSize(image, [maxHeight, maxWidth]);
  return [height ?? image[0], width ?? image[1]];
}
