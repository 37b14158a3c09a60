import { create, toBinary } from "@bufbuild/protobuf";
import {
  RepositoryModelLoadRequestSchema,
  RepositoryModelLoadResponseSchema,
  RepositoryModelUnloadRequestSchema,
  RepositoryModelUnloadResponseSchema,
} from "@sconce/protocol/messages";
import { ServeError } from "../../base/errors.ts";
import {
  type LoadAllowance,
  type LoadParameters,
  readLoadParameters,
  readUnloadParameters,
} from "../control-parameters.ts";
import { decodeMessage } from "./server-handlers.ts";

/** The model that a load is about, and what it sets. Throws `invalid_argument` for malformed bytes and for parameters that are not taken. */
export function decodeLoad(
  bytes: Uint8Array,
  allowed: LoadAllowance,
): LoadParameters & { readonly name: string } {
  const request = decodeMessage(RepositoryModelLoadRequestSchema, bytes);
  const parameters = Object.entries(request.parameters);
  const values = parameters.map(([name, value]) => [name, value.parameterChoice.value] as const);
  return { name: modelName(request), ...readLoadParameters(values, allowed) };
}

/** As `decodeLoad`, for an unload. */
export function decodeUnload(bytes: Uint8Array): {
  readonly name: string;
  readonly withDependents: boolean;
} {
  const request = decodeMessage(RepositoryModelUnloadRequestSchema, bytes);
  const parameters = Object.entries(request.parameters);
  const values = parameters.map(([name, value]) => [name, value.parameterChoice.value] as const);
  return { name: modelName(request), withDependents: readUnloadParameters(values) };
}

export function encodeLoaded(modelName: string): Uint8Array {
  const schema = RepositoryModelLoadResponseSchema;
  return toBinary(schema, create(schema, { modelName, isLoaded: true }));
}

export function encodeUnloaded(modelName: string): Uint8Array {
  const schema = RepositoryModelUnloadResponseSchema;
  return toBinary(schema, create(schema, { modelName, isUnloaded: true }));
}

/** Field 2, as Triton has it; KServe's clients write the name into field 1. */
function modelName(request: { readonly repositoryName: string; readonly modelName: string }): string {
  if (request.modelName === "") return request.repositoryName;
  if (request.repositoryName === "") return request.modelName;
  throw new ServeError("unimplemented", "repository_name: this server has one repository; leave it empty", {
    reason: "unsupported_extension",
  });
}
