import type { Dim } from "../../graph/sym.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

const GRID_MODES = ["linear", "nearest", "cubic"] as const;
const GRID_PADDINGS = ["zeros", "border", "reflection"] as const;

/**
 * aten::grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 * aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 * aten::grid_sampler_3d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor
 */
export const gridSample: Lowering = (node, g) => {
  const mode =
    GRID_MODES[node.int("interpolation_mode")] ?? unsupported("its interpolation mode is not known");
  const padding_mode =
    GRID_PADDINGS[node.int("padding_mode")] ?? unsupported("its padding mode is not known");
  const align_corners = Number(node.bool("align_corners"));
  return g.op("GridSample", [node.tensor("input"), node.tensor("grid")], {
    mode,
    padding_mode,
    align_corners,
  });
};

/**
 * aten::affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners) -> Tensor
 *
 * grid = theta · (x, y, 1), summed over thin axes so that no constant has the size of the grid.
 */
export const affineGrid: Lowering = (node, g) => {
  const theta = node.tensor("theta");
  const spatial = node.sizes("size").slice(2);
  const count = spatial.length;
  const aligned = node.bool("align_corners");
  const columns = g.ops("Split", [theta], {
    count: count + 1,
    attributes: { axis: 2, num_outputs: count + 1 },
  });
  const vectors = columns.map((column) =>
    g.reshape(column, [theta.dims[0]!, ...spatial.map(() => 1), count]),
  );
  const terms = spatial.map((size, i) => {
    const shape = [1, ...spatial.map((_, axis) => (axis === i ? coordinateCount(size) : 1)), 1];
    const along = g.constant(theta.dtype, coordinates(coordinateCount(size), aligned), shape);
    return g.op("Mul", [along, vectors[count - 1 - i]!]);
  });
  return terms.reduce<Val>((sum, term) => g.op("Add", [sum, term]), vectors[count]!);
};

function coordinateCount(size: Dim): number {
  return typeof size === "number" ? size : unsupported("the size of its grid is not constant");
}

/** Places of `count` pixels in [-1, 1]: their centres, or from border to border. One pixel lies in the middle. */
function coordinates(count: number, aligned: boolean): number[] {
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, i) =>
    aligned ? (2 * i) / (count - 1) - 1 : (2 * i + 1) / count - 1,
  );
}

export const GRID_SAMPLE: LoweringTable = {
  "aten.grid_sampler.default": gridSample,
  "aten.grid_sampler_2d.default": gridSample,
  "aten.grid_sampler_3d.default": gridSample,
  "aten.affine_grid_generator.default": affineGrid,
};
