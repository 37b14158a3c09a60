import { invariant } from "../../errors.ts";
import { ATTENTION } from "./attention.ts";
import { DATA_SIZES } from "./data-sizes.ts";
import { DECOMPOSITIONS } from "./decompositions.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { INDEXING } from "./indexing.ts";
import { JOINING } from "./joining.ts";
import { LINEAR_ALGEBRA } from "./linear-algebra.ts";
import { LOSSES } from "./losses.ts";
import { NETWORKS } from "./networks.ts";
import { NORMALIZATION } from "./normalization.ts";
import { PRODUCTS } from "./products.ts";
import { QUANTIZED } from "./quantized.ts";
import { RECURRENT } from "./recurrent.ts";
import { REDUCTIONS } from "./reductions.ts";
import { RESHAPING } from "./reshaping.ts";
import type { ShapeFn, ShapeTable } from "./shape-args.ts";
import { SPECTRAL } from "./spectral.ts";
import { TORCHVISION } from "./torchvision.ts";

/** Every family's table of shape functions, by op ("add") or by op and overload ("to.dtype"), of other namespaces with them ("torchao::…"). */
const FAMILIES: readonly ShapeTable[] = [
  ATTENTION,
  DATA_SIZES,
  DECOMPOSITIONS,
  ELEMENTWISE,
  INDEXING,
  JOINING,
  LINEAR_ALGEBRA,
  LOSSES,
  NETWORKS,
  NORMALIZATION,
  PRODUCTS,
  QUANTIZED,
  RECURRENT,
  REDUCTIONS,
  RESHAPING,
  SPECTRAL,
  TORCHVISION,
];

/** Namespaces whose ops are called as other ops of PyTorch are. */
const NAMESPACES: ReadonlySet<string> = new Set(["quantized_decomposed", "torch_nn", "torchao"]);

const merged = new Map<string, ShapeFn>();
for (const family of FAMILIES) {
  for (const [name, shape] of Object.entries(family)) {
    invariant(!merged.has(name), `two families know the shape of ${name}`);
    merged.set(name, shape);
  }
}

/** The shape function of a target such as "aten.add.Tensor"; undefined when its result's type is not known. */
export function shapeOf(target: string): ShapeFn | undefined {
  const [namespace = "", op = "", overload = ""] = target.split(".");
  if (NAMESPACES.has(namespace)) return merged.get(`${namespace}::${op}`);
  return merged.get(`${op}.${overload}`) ?? merged.get(op);
}
