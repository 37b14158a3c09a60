import {
  LOG_ADVICE,
  logSettings,
  rejectChanges,
  type Settings,
  TRACE_ADVICE,
  TRACE_SETTINGS,
} from "../../observed-settings.ts";
import { rejectRegistration, rejectUnknownRegion, type SharedMemoryKind } from "../../shared-memory.ts";
import { modelOf } from "../call/asked-model.ts";
import { readBody } from "../call/body.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";

/** Triton's trace, logging and shared memory extensions, as far as clients ask about them before they go on without. */
export function v2SettingRoutes(): readonly Route[] {
  return [
    ...settingRoutes(["/v2/logging"], {
      current: ({ context }) => logSettings(context.logLevel()),
      advice: LOG_ADVICE,
    }),
    ...settingRoutes(["/v2/trace/setting", "/v2/models/:model/trace/setting"], {
      current: () => TRACE_SETTINGS,
      advice: TRACE_ADVICE,
    }),
    ...sharedMemoryRoutes("system"),
    ...sharedMemoryRoutes("cuda"),
  ];
}

interface SettingGroup {
  current(call: RestCall): Settings;
  /** What to do in place of a change. */
  readonly advice: string;
}

function settingRoutes(urls: readonly string[], { current, advice }: SettingGroup): readonly Route[] {
  return [
    {
      method: "GET",
      urls,
      run(call, params) {
        checkModel(call, params);
        call.sendJson(200, current(call));
      },
    },
    {
      method: "POST",
      urls,
      async run(call, params) {
        checkModel(call, params);
        rejectChanges(current(call), Object.entries(await readSettings(call)), advice);
        call.sendJson(200, current(call));
      },
    },
  ];
}

function checkModel(call: RestCall, params: RouteParams): void {
  if (params["model"] === undefined) return;
  const [name, version] = modelOf(params);
  call.context.inference.isModelReady(name, version);
}

async function readSettings(call: RestCall): Promise<Readonly<Record<string, unknown>>> {
  const body = await readBody(call);
  if (body.length === 0) return {};
  const whole = { span: { start: 0, end: body.length }, pattern: {}, expected: "an object of settings" };
  const { value } = await call.workOff(body.length, readEnvelope(body, whole, call.context.limits));
  return value;
}

function sharedMemoryRoutes(kind: SharedMemoryKind): readonly Route[] {
  const [all, one] = [`/v2/${kind}sharedmemory`, `/v2/${kind}sharedmemory/region/:region`];
  return [
    {
      method: "GET",
      urls: [`${all}/status`, `${one}/status`],
      run(call, { region = "" }) {
        rejectUnknownRegion(kind, region);
        call.sendJson(200, []);
      },
    },
    { method: "POST", urls: [`${one}/register`], run: () => rejectRegistration(kind) },
    // Clients unregister before they begin, whatever there is.
    {
      method: "POST",
      urls: [`${all}/unregister`, `${one}/unregister`],
      run: (call) => call.sendJson(200, {}),
    },
  ];
}
