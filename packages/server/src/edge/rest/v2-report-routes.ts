import { modelConfigDocument } from "../model-config-document.ts";
import { statisticsDocument } from "../statistics-document.ts";
import { JSON_TYPE, type RestCall } from "./rest-call.ts";
import type { Route, RouteParams } from "./route.ts";
import { modelOf, modelUrls } from "./v2-routes.ts";

/** Triton's statistics and model configuration extensions. */
export function v2ReportRoutes(): readonly Route[] {
  return [
    { method: "GET", urls: ["/v2/models/stats"], run: answerAllStatistics },
    { method: "GET", urls: modelUrls("/stats"), run: answerStatistics },
    { method: "GET", urls: modelUrls("/config"), run: answerConfig },
  ];
}

function answerAllStatistics(call: RestCall): void {
  sendCounters(call, statisticsDocument(call.context.inference.modelStatistics()));
}

function answerStatistics(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  sendCounters(call, statisticsDocument(call.context.inference.modelStatistics(name, version)));
}

function answerConfig(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  call.sendJson(200, modelConfigDocument(call.context.inference.modelConfiguration(name, version)));
}

/** Counters are sums of doubles, so writing them as JSON numbers loses nothing, whatever their size. */
function sendCounters(call: RestCall, document: object): void {
  const text = JSON.stringify(document, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  call.send(200, JSON_TYPE, Buffer.from(text));
}
