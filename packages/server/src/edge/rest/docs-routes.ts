import type { Route } from "./call/route.ts";
import { pageFileRoutes } from "./page-files.ts";

const file = (name: string): URL => new URL(`../../../pages/docs/${name}`, import.meta.url);

/** `/docs`: a page that shows `/openapi.json` and sends what its reader tries. */
export function docsRoutes(): readonly Route[] {
  return pageFileRoutes({
    "/docs": file("index.html"),
    "/docs/start.js": file("start.js"),
    "/docs/look.css": file("look.css"),
    "/docs/renderer.js": file("renderer.js.gz"),
    "/docs/renderer.css": file("renderer.css.gz"),
  });
}
