import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unsupported } from "../core/unsupported.ts";

/**
 * aten::fft_fftfreq(int n, float d=1., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor
 * aten::fft_rfftfreq(int n, float d=1., *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor
 */
function frequencies(isReal: boolean): Lowering {
  return (node, g) => {
    const count = node.size("n");
    if (typeof count !== "number") return unsupported("the number of frequencies is not constant");
    const { dtype } = node.out();
    const step = 1 / (count * node.float("d"));
    const half = Math.floor((count + 1) / 2);
    const length = isReal ? Math.floor(count / 2) + 1 : count;
    const places = Array.from({ length }, (_, i) => (isReal || i < half ? i : i - count));
    return g.constant(
      dtype,
      places.map((place) => place * step),
      [length],
    );
  };
}

export const FREQUENCIES: LoweringTable = {
  "aten.fft_fftfreq.default": frequencies(false),
  "aten.fft_rfftfreq.default": frequencies(true),
};
