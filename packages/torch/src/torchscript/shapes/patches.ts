import { add, mul, product, sub, sym } from "../../graph/sym.ts";
import { axisOf, quotient } from "./dims.ts";
import { onDims, replaced } from "./on-dims.ts";
import { type ShapeFn, tensorType } from "./shape-args.ts";

export const unfold: ShapeFn = onDims((dims, args) => {
  if (dims.length === 0) return [args.int("size")];
  const axis = axisOf(args.int("dimension"), dims.length);
  const [size, step] = [args.int("size"), args.int("step")];
  return [...replaced(dims, axis, sub(sym("floordiv", sub(dims[axis]!, size), step), -1)), size];
});

export const pixelShuffle = (factorOf: (r: number) => readonly [number, number]): ShapeFn =>
  onDims((dims, args) => {
    const [channels, space] = factorOf(
      args.int(args.has("upscale_factor") ? "upscale_factor" : "downscale_factor"),
    );
    const rank = dims.length;
    return dims.map((dim, axis) => {
      if (axis < rank - 3) return dim;
      const factor = axis === rank - 3 ? channels : space;
      return factor >= 1 ? mul(dim, factor) : quotient(dim, Math.round(1 / factor));
    });
  });

/** Columns of patches: [batch, channels * patch, places], the batch only where the input has one. */
export const patchColumns: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const names = ["kernel_size", "dilation", "padding", "stride"] as const;
  const [kernel, dilation, padding, stride] = names.map((name) => args.each(name, 2));
  const places = dims
    .slice(-2)
    .map((dim, axis) =>
      add(
        sym(
          "floordiv",
          add(dim, 2 * padding![axis]! - dilation![axis]! * (kernel![axis]! - 1) - 1),
          stride![axis]!,
        ),
        1,
      ),
    );
  const channels = mul(dims.at(-3)!, kernel![0]! * kernel![1]!);
  return tensorType(dtype, [...dims.slice(0, -3), channels, product(places)]);
};

/** The picture that columns of patches are summed into. */
export const imageOfColumns: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  const [height, width] = args.each("kernel_size", 2);
  const channels = quotient(dims.at(-2)!, height! * width!);
  return tensorType(dtype, [...dims.slice(0, -2), channels, ...args.sizes("output_size")]);
};
