/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/** The shorter edge becomes `edge`, and the other one what keeps the proportions. */
export function shortestSize([height, width]: Size, edge: number): Size {
  const long = Math.trunc((edge * Math.max(height, width)) / Math.min(height, width));
  return width <= height ? [long, edge] : [edge, long];
}

/** The largest size of these proportions that fits. */
export function maxSize([height, width]: Size, [maxHeight, maxWidth]: Size): Size {
  const scale = Math.min(maxHeight / height, maxWidth / width);
  return [Math.trunc(height * scale), Math.trunc(width * scale)];
}

/** The shorter edge becomes `shortest`, or less where the other one would pass `longest`. */
export function aspectSize(image: Size, [shortest, longest]: readonly [number, number]): Size {
  const [height, width] = image;
  const { edge, raw } = boundedEdge(image, [shortest, longest]);
  if ((height <= width && height === edge) || (width <= height && width === edge)) return image;
  return width < height
    ? [Math.trunc((raw * height) / width), edge]
    : [edge, Math.trunc((raw * width) / height)];
}

/** The same, cut to multiples of 16. */
export function yolosSize(image: Size, bounds: readonly [number, number]): Size {
  const [height, width] = aspectSize(image, bounds);
  return [height - (height % 16), width - (width % 16)];
}

function boundedEdge(
  [height, width]: Size,
  [shortest, longest]: readonly [number, number],
): { readonly edge: number; readonly raw: number } {
  const [small, large] = [Math.min(height, width), Math.max(height, width)];
  if ((large / small) * shortest <= longest) return { edge: shortest, raw: shortest };
  const raw = (longest * small) / large;
  return { edge: roundHalfEven(raw), raw };
}

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
