import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { ACTIVATION } from "./activation.ts";
import { ATTENTION } from "./attention.ts";
import { AVERAGE_POOLING } from "./average-pooling.ts";
import { CLASSIFICATION_LOSSES } from "./classification-losses.ts";
import { CONVOLUTION } from "./convolution.ts";
import { DISTANCES } from "./distances.ts";
import { DROPOUT } from "./dropout.ts";
import { EMBEDDING } from "./embedding.ts";
import { EMBEDDING_BAG } from "./embedding-bag.ts";
import { FOLD } from "./fold.ts";
import { FRACTIONAL_POOLING } from "./fractional-pooling.ts";
import { GROUPED_PRODUCTS } from "./grouped-products.ts";
import { LINEAR } from "./linear.ts";
import { LOSSES } from "./losses.ts";
import { MARGIN_LOSSES } from "./margin-losses.ts";
import { MAX_POOLING } from "./max-pooling.ts";
import { MULTI_HEAD_ATTENTION } from "./multi-head-attention.ts";
import { NORMALIZATION } from "./normalization.ts";
import { PACKED_SEQUENCES } from "./packed-sequences.ts";
import { PADDING } from "./padding.ts";
import { RECURRENT } from "./recurrent.ts";
import { SOFTMAX } from "./softmax.ts";

/** Neural network layers and losses (`torch.nn.functional`). */
export const NN: LoweringTable = mergeTables([
  ACTIVATION,
  ATTENTION,
  AVERAGE_POOLING,
  CLASSIFICATION_LOSSES,
  CONVOLUTION,
  DISTANCES,
  DROPOUT,
  EMBEDDING_BAG,
  EMBEDDING,
  FOLD,
  GROUPED_PRODUCTS,
  LINEAR,
  LOSSES,
  MARGIN_LOSSES,
  FRACTIONAL_POOLING,
  MAX_POOLING,
  MULTI_HEAD_ATTENTION,
  NORMALIZATION,
  PACKED_SEQUENCES,
  PADDING,
  RECURRENT,
  SOFTMAX,
]);
