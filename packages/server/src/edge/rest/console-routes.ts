import type { Route } from "./call/route.ts";
import { pageFileRoutes } from "./page-files.ts";

/** The scripts of the page, by their names in `console/`; `console-routes.test.ts` finds those that are missing. */
const SCRIPTS: readonly string[] = [
  "answer-view",
  "bars",
  "calls-view",
  "element",
  "image-input",
  "input-fields",
  "json-input",
  "main",
  "model-view",
  "models-view",
  "server-api",
  "text-input",
  "tensor-values",
  "timing-view",
];
/** What the page shares with the command line. */
const SHARED: readonly string[] = ["base/call-text", "base/shell-text"];

const built = (name: string): URL => new URL(`../../${name}.js`, import.meta.url);
const page = (name: string): URL => new URL(`../../../pages/console/${name}`, import.meta.url);

/** `/console`: models, a playground for each, and how the server does. */
export function consoleRoutes(): readonly Route[] {
  const scripts = SCRIPTS.map((name) => [`/console/app/${name}.js`, built(`console/${name}`)] as const);
  const shared = SHARED.map((name) => [`/console/${name}.js`, built(name)] as const);
  return pageFileRoutes({
    "/console": page("index.html"),
    "/console/look.css": page("look.css"),
    ...Object.fromEntries([...scripts, ...shared]),
  });
}
