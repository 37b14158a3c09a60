import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  CudaSharedMemoryStatusRequestSchema,
  LogSettingsRequestSchema,
  LogSettingsResponseSchema,
  SystemSharedMemoryRegisterRequestSchema,
  SystemSharedMemoryStatusRequestSchema,
  SystemSharedMemoryStatusResponseSchema,
  SystemSharedMemoryUnregisterRequestSchema,
  TraceSettingRequestSchema,
  TraceSettingResponseSchema,
} from "@sconce/protocol/messages";
import type { MemoryRegions } from "../memory-regions.ts";
import { LOG_ADVICE, logSettings, rejectChanges, type SettingValue } from "../observed-settings.ts";
import { rejectCudaRegistration, rejectUnknownRegion, sharedMemoryOff } from "../shared-memory.ts";
import type { TraceSettings } from "../trace-settings.ts";
import { decodeMessage } from "./server-handlers.ts";

export interface SettingDeps {
  readonly logLevel: () => string;
  readonly traceSettings: TraceSettings;
  /** Throws for an unknown model. */
  readonly isKnownModel: (name: string) => void;
  /** Shared memory that clients have registered; undefined: the operator does not allow it. */
  readonly regions: MemoryRegions | undefined;
}

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

/** One handler for each method. They throw ServeError. */
export function settingHandlers({
  logLevel,
  traceSettings,
  isKnownModel,
  regions,
}: SettingDeps): SettingHandlers {
  return {
    SystemSharedMemoryStatus(bytes) {
      const { name } = decodeMessage(SystemSharedMemoryStatusRequestSchema, bytes);
      if (regions === undefined) rejectUnknownRegion("system", name);
      const found = (regions?.status(name) ?? []).map((region) => [region.name, region]);
      return encode(SystemSharedMemoryStatusResponseSchema, { regions: Object.fromEntries(found) });
    },
    SystemSharedMemoryRegister(bytes) {
      if (regions === undefined) throw sharedMemoryOff();
      const { name, key, offset, byteSize } = decodeMessage(SystemSharedMemoryRegisterRequestSchema, bytes);
      regions.register({ name, key, offset, byteSize });
      return NOTHING;
    },
    SystemSharedMemoryUnregister(bytes) {
      regions?.unregister(decodeMessage(SystemSharedMemoryUnregisterRequestSchema, bytes).name);
      return NOTHING;
    },
    CudaSharedMemoryStatus(bytes) {
      rejectUnknownRegion("cuda", decodeMessage(CudaSharedMemoryStatusRequestSchema, bytes).name);
      return NOTHING;
    },
    CudaSharedMemoryRegister: () => rejectCudaRegistration(),
    CudaSharedMemoryUnregister: () => NOTHING,
    TraceSetting(bytes) {
      const { modelName, settings } = decodeMessage(TraceSettingRequestSchema, bytes);
      if (modelName !== "") isKnownModel(modelName);
      // No value clears a setting.
      const wanted = Object.entries(settings).map(
        ([name, { value }]) => [name, value.length === 0 ? null : value] as const,
      );
      traceSettings.change(wanted, modelName === "" ? undefined : modelName);
      const entries = Object.entries(traceSettings.current()).map(([name, value]) => [
        name,
        { value: texts(value) },
      ]);
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
