import { modelConfigDocument } from "../model-config-document.ts";
import { statisticsDocument } from "../statistics-document.ts";
import { type Exchange, JSON_TYPE } from "./exchange.ts";
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

function answerAllStatistics(exchange: Exchange): void {
  sendCounters(exchange, statisticsDocument(exchange.context.inference.modelStatistics()));
}

function answerStatistics(exchange: Exchange, params: RouteParams): void {
  const [name, version] = modelOf(params);
  sendCounters(exchange, statisticsDocument(exchange.context.inference.modelStatistics(name, version)));
}

function answerConfig(exchange: Exchange, params: RouteParams): void {
  const [name, version] = modelOf(params);
  exchange.answerJson(200, modelConfigDocument(exchange.context.inference.modelConfiguration(name, version)));
}

/** Counters are sums of doubles, so writing them as JSON numbers loses nothing, whatever their size. */
function sendCounters(exchange: Exchange, document: object): void {
  const text = JSON.stringify(document, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  exchange.answer(200, JSON_TYPE, Buffer.from(text));
}
