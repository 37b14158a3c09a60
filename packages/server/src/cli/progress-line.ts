import { printable } from "../base/printable.ts";

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** The last line of a terminal, for what is being done; undefined where standard error is none. */
export function progressLine(stream: Stream): ((text?: string) => void) | undefined {
  if (stream.isTTY !== true) return undefined;
  let isShown = false;
  return (text) => {
    if (isShown) stream.write("\r\x1b[K");
    isShown = text !== undefined;
    if (text !== undefined) stream.write(`${printable(text).slice(0, (stream.columns || 80) - 2)}…`);
  };
}
