import { create, toBinary } from "@bufbuild/protobuf";
import { torchserveManagement } from "@sconce/protocol/messages";
import { ServeError } from "../../base/errors.ts";
import type { ManagementResult } from "../torchserve/management.ts";
import type { Wishes } from "../torchserve/registration-settings.ts";
import { failureOverGrpc } from "../torchserve/torchserve-failure.ts";
import { decodeMessage } from "./server-handlers.ts";

const {
  DescribeModelRequestSchema,
  ListModelsRequestSchema,
  ManagementResponseSchema,
  RegisterModelRequestSchema,
  ScaleWorkerRequestSchema,
  SetDefaultRequestSchema,
  UnregisterModelRequestSchema,
} = torchserveManagement;

/** Which model a request is about. */
interface OfModel {
  readonly model: string;
  /** Undefined: the default one. */
  readonly version: string | undefined;
}

/** The result of a request as a message: the JSON that HTTP would have, or its status alone. */
export async function settle(act: () => Promise<ManagementResult>): Promise<Uint8Array> {
  const { document } = await act().catch((thrown: unknown) => {
    throw failureOverGrpc(ServeError.from(thrown));
  });
  const isStatus = isStatusDocument(document);
  const msg = isStatus ? document.status : JSON.stringify(document, undefined, 2);
  return toBinary(ManagementResponseSchema, create(ManagementResponseSchema, { msg }));
}

function isStatusDocument(document: unknown): document is { readonly status: string } {
  return typeof document === "object" && document !== null && "status" in document;
}

export function decodeList(bytes: Uint8Array): Wishes {
  const { limit, nextPageToken } = decodeMessage(ListModelsRequestSchema, bytes);
  return wishes({ limit, next_page_token: nextPageToken });
}

export function decodeDescribe(bytes: Uint8Array): OfModel & { readonly isCustomized: boolean } {
  const message = decodeMessage(DescribeModelRequestSchema, bytes);
  return { ...ofModel(message), isCustomized: message.customized === true };
}

export function decodeRegister(bytes: Uint8Array): Wishes {
  const message = decodeMessage(RegisterModelRequestSchema, bytes);
  const asked = wishes({
    model_name: message.modelName,
    batch_size: message.batchSize,
    max_batch_delay: message.maxBatchDelay,
    initial_workers: message.initialWorkers,
    response_timeout: message.responseTimeout,
    startup_timeout: message.startupTimeout,
    synchronous: message.synchronous,
  });
  return message.url === "" ? asked : new Map([...asked, ["url", message.url]]);
}

export function decodeScale(bytes: Uint8Array): OfModel & { readonly wishes: Wishes } {
  const message = decodeMessage(ScaleWorkerRequestSchema, bytes);
  const { minWorker, maxWorker, synchronous } = message;
  return {
    ...ofModel(message),
    wishes: wishes({ min_worker: minWorker, max_worker: maxWorker, synchronous }),
  };
}

export function decodeSetDefault(bytes: Uint8Array): OfModel {
  return ofModel(decodeMessage(SetDefaultRequestSchema, bytes));
}

export function decodeUnregister(bytes: Uint8Array): OfModel {
  return ofModel(decodeMessage(UnregisterModelRequestSchema, bytes));
}

function ofModel({
  modelName,
  modelVersion,
}: {
  readonly modelName: string;
  readonly modelVersion: string;
}): OfModel {
  return { model: modelName, version: modelVersion === "" ? undefined : modelVersion };
}

/** As a query would say it; what a message leaves out is not said. */
function wishes(fields: Readonly<Record<string, string | number | boolean>>): Wishes {
  const said = Object.entries(fields).filter(([, value]) => value !== "" && value !== 0 && value !== false);
  return new Map(said.map(([name, value]) => [name, String(value)]));
}
