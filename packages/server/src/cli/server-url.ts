import { ServeError } from "../base/errors.ts";

/**
 * Where a command asks: without the slash at the end. `from` says whose value it is. Throws `bad_option` for what is no URL of HTTP, with what was
 * probably meant.
 */
export function serverUrl(text: string, from: string = "--url"): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text.replace(/\/+$/, "");
  const hint = completionHint(text);
  throw new ServeError(
    "invalid_argument",
    `${from}: expected http://HOST:PORT or https://HOST:PORT, got ${JSON.stringify(text.slice(0, 80))}${hint}`,
    { reason: "bad_option" },
  );
}

/** For a text that would be a URL with `http://` before it. */
export function completionHint(text: string): string {
  const completed = `http://${text}`;
  const isNear = !text.includes("://") && URL.canParse(completed);
  return isNear ? `; did you mean ${completed.slice(0, 80)}?` : "";
}
