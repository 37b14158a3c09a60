import { type Dim, product, sym } from "../../graph/sym.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";

/** aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor. Channels c·r² become r × r blocks of pixels. */
export const pixelShuffle: Lowering = (node, g) => {
  const self = node.tensor("self");
  const r = node.int("upscale_factor");
  const [channels, height, width] = self.dims.slice(-3) as [Dim, Dim, Dim];
  const batch = product(self.dims.slice(0, -3));
  const blocks = g.reshape(self, [batch, sym("cleandiv", channels, r * r), r, r, height, width]);
  return g.reshape(g.transpose(blocks, [0, 1, 4, 2, 5, 3]), node.out().dims);
};

/** aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor. The reverse of pixel_shuffle. */
export const pixelUnshuffle: Lowering = (node, g) => {
  const self = node.tensor("self");
  const r = node.int("downscale_factor");
  const [channels, height, width] = self.dims.slice(-3) as [Dim, Dim, Dim];
  const batch = product(self.dims.slice(0, -3));
  const shape = [batch, channels, sym("cleandiv", height, r), r, sym("cleandiv", width, r), r];
  return g.reshape(g.transpose(g.reshape(self, shape), [0, 1, 3, 5, 2, 4]), node.out().dims);
};

/**
 * aten::native_channel_shuffle(Tensor self, SymInt groups) -> Tensor
 * aten::channel_shuffle(Tensor self, SymInt groups) -> Tensor
 *
 * Splits an axis of groups·width into a transposed grid.
 */
export const channelShuffle: Lowering = (node, g) => {
  const self = node.tensor("self");
  const groups = node.int("groups");
  const [batch, channels, ...rest] = self.dims as [Dim, Dim, ...Dim[]];
  const area = product(rest);
  const grid = g.reshape(self, [batch, groups, sym("cleandiv", channels, groups), area]);
  return g.reshape(g.transpose(grid, [0, 2, 1, 3]), [batch, channels, ...rest]);
};

export const PIXEL_SHUFFLE: LoweringTable = {
  "aten.pixel_shuffle.default": pixelShuffle,
  "aten.pixel_unshuffle.default": pixelUnshuffle,
  "aten.channel_shuffle.default": channelShuffle,
  "aten.native_channel_shuffle.default": channelShuffle,
};
