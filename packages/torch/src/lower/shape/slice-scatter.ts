import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { normalizeAxis, type Tensor, type Val } from "../core/tensor.ts";

/** aten::select_scatter(Tensor self, Tensor src, int dim, SymInt index) -> Tensor */
export const selectScatter: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const index = g.shape([node.size("index")]);
  const src = g.unsqueeze(g.cast(node.tensor("src"), self.dtype), [axis]);
  return scatterRows(g, self, { axis, rows: index, src });
};

/** aten::slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, SymInt step=1) -> Tensor */
export const sliceScatter: Lowering = (node, g) => {
  const self = node.tensor("self");
  const axis = normalizeAxis(node.int("dim"), self.dims.length);
  const start = node.has("start") ? node.size("start") : 0;
  const end = node.has("end") ? node.size("end") : Number.MAX_SAFE_INTEGER;
  const all = g.op("Range", [
    g.scalar("int64", 0),
    g.number(self.dims[axis]!, "int64"),
    g.scalar("int64", 1),
  ]);
  const rows = g.op("Slice", [
    all,
    g.shape([start]),
    g.shape([end]),
    g.ints([0]),
    g.shape([node.size("step")]),
  ]);
  const src = g.cast(node.tensor("src"), self.dtype);
  const isClipped = node.isPut && typeof self.dims[axis] !== "number";
  return scatterRows(g, self, { axis, rows, src: isClipped ? firstRows(g, src, { axis, rows }) : src });
};

/** As much of what was written as there is room for: a slice ends where its operand does. */
function firstRows(g: Emitter, src: Val, { axis, rows }: Omit<Rows, "src">): Val {
  return g.op("Slice", [src, g.ints([0]), g.op("Shape", [rows]), g.ints([axis])]);
}

interface Rows {
  readonly axis: number;
  /** 1-d int64 indices along `axis`. */
  readonly rows: Val;
  /** What to put there: as `self`, with one entry per row along `axis`. */
  readonly src: Val;
}

/** Replaces the entries `rows` along `axis`. */
function scatterRows(g: Emitter, self: Tensor, { axis, rows, src }: Rows): Val {
  const perm = self.dims.map((_, i) => (i === 0 ? axis : i === axis ? 0 : i));
  const indices = g.unsqueeze(rows, [1]);
  return g.transpose(g.op("ScatterND", [g.transpose(self, perm), indices, g.transpose(src, perm)]), perm);
}

export const SLICE_SCATTER: LoweringTable = {
  "aten.select_scatter.default": selectScatter,
  "aten.slice_scatter.default": sliceScatter,
};
