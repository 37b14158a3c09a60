import { ServeError } from "../base/errors.ts";

/** Below this, a high ratio is no attack: zeros compress a thousandfold. */
const RATIO_FREE_BYTES = 1024 * 1024;

/** What compressed bytes may become. */
export interface InflateLimits {
  readonly maxBytes: number;
  /** A text may not grow by more than this factor, past the first MiB. */
  readonly maxRatio: number;
}

/** Throws `resource_exhausted`/`body_too_large` when `inflated` bytes are too many, or too many for the `compressed` bytes that they came from. */
export function checkInflatedSize(
  what: "body" | "message",
  { inflated, compressed }: { readonly inflated: number; readonly compressed: number },
  { maxBytes, maxRatio }: InflateLimits,
): void {
  if (inflated > maxBytes) {
    throw new ServeError(
      "resource_exhausted",
      `the ${what} is larger than ${maxBytes} bytes, the most this server accepts`,
      {
        reason: "body_too_large",
      },
    );
  }
  if (inflated > RATIO_FREE_BYTES && inflated > compressed * maxRatio) {
    throw new ServeError("resource_exhausted", `the compressed ${what} grows more than ${maxRatio}-fold`, {
      reason: "body_too_large",
    });
  }
}
