import { createLiveFeed, type LiveFeed } from "../../live-feed.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { Route } from "../call/route.ts";

const EVENTS_TYPE = "text/event-stream; charset=utf-8";
const HEADERS = ["Cache-Control", "no-store", "X-Accel-Buffering", "no"];
/** What a listener costs the budget of requests in flight. */
const HELD_BYTES = 256 * 1024;
/** A listener that has so much before it does not read. */
const MAX_UNTAKEN_BYTES = HELD_BYTES;
const GREETING = Buffer.from(": one event a second\n\n");
const NOTHING: Buffer = Buffer.alloc(0);

/** What the server does now, as one stream of events for charts. */
export function v2LiveRoutes(context: RestContext): readonly Route[] {
  let feed: LiveFeed | undefined;
  const run = (call: RestCall): void => {
    feed ??= createLiveFeed({
      metrics: { get: async () => (await context.shared.metrics.get()).bytes },
      clock: context.clock,
      isDraining: context.isDraining,
    });
    answerLive(call, feed);
  };
  return [{ method: "GET", urls: ["/v2/live"], needs: "metrics", isInPieces: true, run }];
}

function answerLive(call: RestCall, feed: LiveFeed): void {
  if (call.request.method === "HEAD") {
    call.send(200, EVENTS_TYPE, NOTHING, [...HEADERS]);
    return;
  }
  call.enter(HELD_BYTES);
  const stop = feed.listen({
    tell(body) {
      if (call.untakenBytes > MAX_UNTAKEN_BYTES) call.transport.connection.destroy();
      else call.sendPiece({ body, type: EVENTS_TYPE });
    },
    end: () => call.endPieces(),
  });
  call.onEnd(stop);
  call.sendPiece({ body: GREETING, type: EVENTS_TYPE, headers: HEADERS });
}
