import { ServeError } from "../../base/errors.ts";
import type { RestCall } from "./call/rest-call.ts";
import type { Route, RouteParams } from "./call/route.ts";
import { createPageFileSender, type PageFileSender, pageFileRoutes } from "./page-files.ts";

/** What the page's scripts share with the server. */
const SHARED: ReadonlySet<string> = new Set([
  "call-text.js",
  "metrics-text.js",
  "shell-text.js",
  "timeline.js",
]);
/** The folder of the findings has nothing else. */
const FINDINGS = new URL("../../why/findings.js", import.meta.url);
/** Names of files and no paths. */
const SCRIPT = /^[a-z-]+\.js$/;

/** Their scripts lie beside them. */
const MAIN = new URL("../../console/main.js", import.meta.url);
const CALL_TEXT = new URL("../../base/call-text.js", import.meta.url);

const page = (name: string): URL => new URL(`../../../pages/console/${name}`, import.meta.url);

/** `/console`: models, a playground for each, and how the server does. Its scripts are `src/console`, each a module of its own. */
export function consoleRoutes(): readonly Route[] {
  const sender = createPageFileSender();
  return [
    ...pageFileRoutes({ "/console": page("index.html"), "/console/look.css": page("look.css") }, sender),
    { method: "GET", urls: ["/console/app/:script"], needs: "nothing", run: fromFolder(MAIN, sender) },
    { method: "GET", urls: ["/console/why/:script"], needs: "nothing", run: fromFolder(FINDINGS, sender) },
    {
      method: "GET",
      urls: ["/console/base/:script"],
      needs: "nothing",
      run: (call, params) => sendShared(sender, call, params),
    },
  ];
}

function fromFolder(beside: URL, sender: PageFileSender): Route["run"] {
  return async (call, { script = "" }) => {
    if (!SCRIPT.test(script)) throw noSuchScript();
    try {
      await sender.send(call, new URL(script, beside));
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "ENOENT" ? noSuchScript() : error;
    }
  };
}

async function sendShared(
  sender: PageFileSender,
  call: RestCall,
  { script = "" }: RouteParams,
): Promise<void> {
  if (!SHARED.has(script)) throw noSuchScript();
  await sender.send(call, new URL(script, CALL_TEXT));
}

function noSuchScript(): ServeError {
  return new ServeError("not_found", "the console has no such script", { reason: "no_such_url" });
}
