import type { Size } from "./image-size.ts";

/** One map for each class or thing, row after row. */
export interface Maps {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

/**
 * Walks over maps that are stretched to another size (bilinear, corners not aligned, as `torch.nn.functional.interpolate` does), without
 * making them: `row` is told every row of every map, of all maps for one row before the next. The rows are its until it returns.
 */
export function stretchMaps(
  maps: Maps,
  [height, width]: Size,
  row: (y: number, rows: readonly Float32Array[]) => void,
): void {
  const columns = places(maps.width, width);
  const lines = places(maps.height, height);
  const rows = Array.from({ length: maps.count }, () => new Float32Array(width));
  for (let y = 0; y < height; y++) {
    const below = lines.weight[y]!;
    for (let m = 0; m < maps.count; m++) {
      const from = (m * maps.height + lines.first[y]!) * maps.width;
      const next = (m * maps.height + lines.second[y]!) * maps.width;
      const out = rows[m]!;
      for (let x = 0; x < width; x++) {
        const [a, b, right] = [columns.first[x]!, columns.second[x]!, columns.weight[x]!];
        const upper = maps.values[from + a]! * (1 - right) + maps.values[from + b]! * right;
        const lower = maps.values[next + a]! * (1 - right) + maps.values[next + b]! * right;
        out[x] = upper * (1 - below) + lower * below;
      }
    }
    row(y, rows);
  }
}

interface Places {
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Of the second. */
  readonly weight: Float32Array;
}

function places(from: number, to: number): Places {
  const [first, second, weight] = [new Int32Array(to), new Int32Array(to), new Float32Array(to)];
  const scale = Math.fround(from / to);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, Math.fround(Math.fround(scale * (i + 0.5)) - 0.5));
    first[i] = Math.min(Math.trunc(at), from - 1);
    second[i] = Math.min(first[i]! + 1, from - 1);
    weight[i] = at - Math.trunc(at);
  }
  return { first, second, weight };
}
