import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { DETECTION } from "./detection.ts";
import { GRID_SAMPLE } from "./grid-sample.ts";
import { INTERPOLATE } from "./interpolate.ts";
import { PIXEL_SHUFFLE } from "./pixel-shuffle.ts";
import { ROI_POOLING } from "./roi-pooling.ts";

/** Images: resizing, sampling, torchvision's ops. */
export const VISION: LoweringTable = mergeTables([
  DETECTION,
  GRID_SAMPLE,
  INTERPOLATE,
  PIXEL_SHUFFLE,
  ROI_POOLING,
]);
