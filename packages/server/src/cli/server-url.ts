import { ServeError } from "../base/errors.ts";

/** Where a command asks: without the slash at the end. Throws `bad_option` for what is no URL of HTTP, with what was probably meant. */
export function serverUrl(text: string): string {
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text.replace(/\/+$/, "");
  const completed = `http://${text}`;
  const hint =
    !text.includes("://") && URL.canParse(completed) ? `; did you mean ${completed.slice(0, 80)}?` : "";
  throw new ServeError(
    "invalid_argument",
    `--url: expected http://HOST:PORT or https://HOST:PORT, got ${JSON.stringify(text.slice(0, 80))}${hint}`,
    { reason: "bad_option" },
  );
}
