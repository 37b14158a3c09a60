import { ServeError } from "../../../base/errors.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route } from "../call/route.ts";
import { modelUrls } from "../v2/model-urls.ts";

/** Where WebSockets are opened. A request that opens none is told how. */
export const STREAM_ROUTE: Route = { method: "GET", urls: modelUrls("/stream"), run: askForUpgrade };

function askForUpgrade(call: RestCall): void {
  call.fail(
    new ServeError("failed_precondition", "a WebSocket is spoken under this URL: open it as ws://…", {
      reason: "upgrade_required",
    }),
    ["Upgrade", "websocket", "Connection", "close"],
  );
}
