import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  CudaSharedMemoryStatusRequestSchema,
  LogSettingsRequestSchema,
  LogSettingsResponseSchema,
  SystemSharedMemoryStatusRequestSchema,
  TraceSettingRequestSchema,
  TraceSettingResponseSchema,
} from "@sconce/protocol/messages";
import {
  LOG_ADVICE,
  logSettings,
  rejectChanges,
  type SettingValue,
  TRACE_ADVICE,
  TRACE_SETTINGS,
} from "../observed-settings.ts";
import { rejectRegistration, rejectUnknownRegion } from "../shared-memory.ts";
import { decodeMessage } from "./server-handlers.ts";

type Handler = (bytes: Uint8Array) => Uint8Array;

/** Of a message without fields, or with nothing in them. */
const NOTHING = new Uint8Array(0);

interface SettingHandlers {
  readonly SystemSharedMemoryStatus: Handler;
  readonly SystemSharedMemoryRegister: Handler;
  readonly SystemSharedMemoryUnregister: Handler;
  readonly CudaSharedMemoryStatus: Handler;
  readonly CudaSharedMemoryRegister: Handler;
  readonly CudaSharedMemoryUnregister: Handler;
  readonly TraceSetting: Handler;
  readonly LogSettings: Handler;
}

/** One handler for each method. They throw ServeError; `isKnownModel` throws for an unknown one. */
export function settingHandlers(
  logLevel: () => string,
  isKnownModel: (name: string) => void,
): SettingHandlers {
  return {
    SystemSharedMemoryStatus(bytes) {
      rejectUnknownRegion("system", decodeMessage(SystemSharedMemoryStatusRequestSchema, bytes).name);
      return NOTHING;
    },
    SystemSharedMemoryRegister: () => rejectRegistration("system"),
    SystemSharedMemoryUnregister: () => NOTHING,
    CudaSharedMemoryStatus(bytes) {
      rejectUnknownRegion("cuda", decodeMessage(CudaSharedMemoryStatusRequestSchema, bytes).name);
      return NOTHING;
    },
    CudaSharedMemoryRegister: () => rejectRegistration("cuda"),
    CudaSharedMemoryUnregister: () => NOTHING,
    TraceSetting(bytes) {
      const { modelName, settings } = decodeMessage(TraceSettingRequestSchema, bytes);
      if (modelName !== "") isKnownModel(modelName);
      // No value clears a setting.
      const wanted = Object.entries(settings).map(
        ([name, { value }]) => [name, value.length === 0 ? null : value] as const,
      );
      rejectChanges(TRACE_SETTINGS, wanted, TRACE_ADVICE);
      const entries = Object.entries(TRACE_SETTINGS).map(([name, value]) => [name, { value: texts(value) }]);
      return encode(TraceSettingResponseSchema, { settings: Object.fromEntries(entries) });
    },
    LogSettings(bytes) {
      const { settings } = decodeMessage(LogSettingsRequestSchema, bytes);
      const current = logSettings(logLevel());
      const wanted = Object.entries(settings).map(
        ([name, { parameterChoice }]) => [name, parameterChoice.value ?? null] as const,
      );
      rejectChanges(current, wanted, LOG_ADVICE);
      const entries = Object.entries(current).map(([name, value]) => [
        name,
        { parameterChoice: choice(value) },
      ]);
      return encode(LogSettingsResponseSchema, { settings: Object.fromEntries(entries) });
    },
  };
}

function encode<O extends DescMessage>(schema: O, init: object): Uint8Array {
  return toBinary(schema, create(schema, init as MessageShape<O>));
}

function texts(value: SettingValue): string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

function choice(value: SettingValue): object {
  if (typeof value === "boolean") return { case: "boolParam", value };
  return typeof value === "number"
    ? { case: "uint32Param", value }
    : { case: "stringParam", value: String(value) };
}
