import { LOG_ADVICE, logSettings, rejectChanges, type Settings } from "../../observed-settings.ts";
import {
  rejectCudaRegistration,
  rejectUnknownRegion,
  type SharedMemoryKind,
  sharedMemoryOff,
} from "../../shared-memory.ts";
import { modelOf } from "../call/asked-model.ts";
import { readBody } from "../call/body.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, isCount, type JsonObject, optionalValue, requiredText } from "../json/fields.ts";

/** Triton's trace, logging and shared memory extensions, as far as clients ask about them before they go on without. */
export function v2SettingRoutes(): readonly Route[] {
  return [
    ...settingRoutes(["/v2/logging"], {
      current: ({ context }) => logSettings(context.logLevel()),
      change: ({ context }, wanted) => rejectChanges(logSettings(context.logLevel()), wanted, LOG_ADVICE),
    }),
    ...settingRoutes(["/v2/trace/setting", "/v2/models/:model/trace/setting"], {
      current: ({ context }) => context.traceSettings.current(),
      change: ({ context }, wanted, model) => context.traceSettings.change(wanted, model),
    }),
    ...sharedMemoryRoutes("system"),
    ...sharedMemoryRoutes("cuda"),
  ];
}

interface SettingGroup {
  current(call: RestCall): Settings;
  /** Throws `invalid_argument`. */
  change(
    call: RestCall,
    wanted: Iterable<readonly [name: string, value: unknown]>,
    model: string | undefined,
  ): void;
}

function settingRoutes(urls: readonly string[], { current, change }: SettingGroup): readonly Route[] {
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
        change(call, Object.entries(await readSettings(call)), params["model"]);
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

interface RegionCalls {
  status(call: RestCall, name: string): readonly object[];
  register(call: RestCall, name: string): void | Promise<void>;
  unregister(call: RestCall, name: string): void;
}

const SYSTEM: RegionCalls = {
  status({ context: { regions } }, name) {
    if (regions === undefined) rejectUnknownRegion("system", name);
    return (regions?.status(name) ?? []).map((region) => ({
      name: region.name,
      key: region.key,
      // Below 2⁵³: they lie in a file.
      offset: Number(region.offset),
      byte_size: Number(region.byteSize),
    }));
  },
  async register(call, name) {
    const { regions } = call.context;
    if (regions === undefined) throw sharedMemoryOff();
    const wanted = await readSettings(call);
    const key = requiredText(wanted, "key", "key");
    const offset = readCount(wanted, "offset") ?? 0n;
    const byteSize = readCount(wanted, "byte_size");
    if (byteSize === undefined) throw bad("byte_size", "missing; expected a number of bytes");
    regions.register({ name, key, offset, byteSize });
  },
  unregister: ({ context }, name) => context.regions?.unregister(name),
};

const CUDA: RegionCalls = {
  status(_call, name) {
    rejectUnknownRegion("cuda", name);
    return [];
  },
  register: () => rejectCudaRegistration(),
  unregister: () => {},
};

function readCount(object: JsonObject, name: string): bigint | undefined {
  const value = optionalValue(object, name);
  if (value === undefined) return undefined;
  if (!isCount(value)) throw bad(name, "expected a number of bytes, 0 or more");
  return BigInt(value);
}

function sharedMemoryRoutes(kind: SharedMemoryKind): readonly Route[] {
  const [all, one] = [`/v2/${kind}sharedmemory`, `/v2/${kind}sharedmemory/region/:region`];
  const calls = kind === "system" ? SYSTEM : CUDA;
  return [
    {
      method: "GET",
      urls: [`${all}/status`, `${one}/status`],
      run: (call, { region = "" }) => call.sendJson(200, calls.status(call, region)),
    },
    {
      method: "POST",
      urls: [`${one}/register`],
      async run(call, { region = "" }) {
        await calls.register(call, region);
        call.sendJson(200, {});
      },
    },
    // Clients unregister before they begin, whatever there is.
    {
      method: "POST",
      urls: [`${all}/unregister`, `${one}/unregister`],
      run(call, { region = "" }) {
        calls.unregister(call, region);
        call.sendJson(200, {});
      },
    },
  ];
}
