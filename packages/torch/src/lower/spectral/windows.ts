import { all, type Lowering, type LoweringTable } from "../core/lowering.ts";
import type { OpNode } from "../core/op-node.ts";

/** A window's value at point `i` of `n` that make a period. */
type Curve = (i: number, n: number) => number;

/**
 * aten::bartlett_window(int window_length, *, ...) -> Tensor
 * aten::bartlett_window.periodic(int window_length, bool periodic, *, ...) -> Tensor
 * aten::blackman_window(int window_length, *, ...) -> Tensor
 * aten::blackman_window.periodic(int window_length, bool periodic, *, ...) -> Tensor
 * aten::hann_window(int window_length, *, ...) -> Tensor
 * aten::hann_window.periodic(int window_length, bool periodic, *, ...) -> Tensor
 * aten::hamming_window(int window_length, *, ...) -> Tensor
 * aten::hamming_window.periodic(int window_length, bool periodic, *, ...) -> Tensor
 * aten::hamming_window.periodic_alpha(int window_length, bool periodic, float alpha, *, ...) -> Tensor
 * aten::hamming_window.periodic_alpha_beta(int window_length, bool periodic, float alpha, float beta, *, ...) -> Tensor
 * aten::kaiser_window(int window_length, *, ...) -> Tensor
 * aten::kaiser_window.periodic(int window_length, bool periodic, *, ...) -> Tensor
 * aten::kaiser_window.beta(int window_length, bool periodic, float beta, *, ...) -> Tensor
 *
 * A window is its curve over one period, or over one point less when it is not periodic; a window of one point is 1.
 */
function window(curveOf: (node: OpNode) => Curve): Lowering {
  return (node, g) => {
    const { dtype } = node.out();
    const length = node.int("window_length");
    const isPeriodic = !node.has("periodic") || node.bool("periodic");
    const period = isPeriodic ? length : length - 1;
    const curve = curveOf(node);
    const values = Array.from({ length }, (_, i) => (length === 1 ? 1 : curve(i, period)));
    return g.constant(dtype, values, [length]);
  };
}

/** The sum of `weights[k] cos(2πki/n)`. */
function cosines(...weights: number[]): Curve {
  return (i, n) => weights.reduce((sum, weight, k) => sum + weight * Math.cos((2 * Math.PI * k * i) / n), 0);
}

const triangle: Curve = (i, n) => 1 - Math.abs((2 * i) / n - 1);

/** The modified Bessel function of the first kind and order 0, for arguments that are not negative. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * Number.EPSILON; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function kaiser(beta: number): Curve {
  return (i, n) => bessel(Math.abs(beta) * Math.sqrt(Math.max(0, 1 - ((2 * i) / n - 1) ** 2))) / bessel(beta);
}

const PLAIN = ["default", "periodic"];

/** The windows that signals are cut with. */
export const WINDOWS: LoweringTable = {
  ...all(
    "bartlett_window",
    window(() => triangle),
    PLAIN,
  ),
  ...all(
    "blackman_window",
    window(() => cosines(0.42, -0.5, 0.08)),
    PLAIN,
  ),
  ...all(
    "hann_window",
    window(() => cosines(0.5, -0.5)),
    PLAIN,
  ),
  ...all(
    "hamming_window",
    window((node) => cosines(node.optionalFloat("alpha") ?? 0.54, -(node.optionalFloat("beta") ?? 0.46))),
    [...PLAIN, "periodic_alpha", "periodic_alpha_beta"],
  ),
  ...all(
    "kaiser_window",
    window((node) => kaiser(node.optionalFloat("beta") ?? 12)),
    [...PLAIN, "beta"],
  ),
};
