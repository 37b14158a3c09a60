import { modelConfigDocument } from "../../model-config-document.ts";
import { statisticsDocument } from "../../statistics-document.ts";
import { modelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { countersJson } from "../call/shared-responses.ts";
import { modelUrls } from "./model-urls.ts";

/** Triton's statistics and model configuration extensions. */
export function v2ReportRoutes(): readonly Route[] {
  return [
    { method: "GET", urls: ["/v2/models/stats"], run: answerAllStatistics },
    { method: "GET", urls: modelUrls("/stats"), run: answerStatistics },
    { method: "GET", urls: modelUrls("/config"), run: answerConfig },
  ];
}

async function answerAllStatistics(call: RestCall): Promise<void> {
  call.sendShared(JSON_TYPE, await call.context.shared.statistics.get());
}

function answerStatistics(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  const document = statisticsDocument(call.context.inference.modelStatistics(name, version));
  call.send(200, JSON_TYPE, Buffer.from(countersJson(document)));
}

function answerConfig(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  call.sendJson(200, modelConfigDocument(call.context.inference.modelConfiguration(name, version)));
}
