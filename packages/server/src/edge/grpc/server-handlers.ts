import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  ModelConfigRequestSchema,
  ModelConfigResponseSchema,
  ModelMetadataRequestSchema,
  ModelMetadataResponseSchema,
  ModelReadyRequestSchema,
  ModelReadyResponseSchema,
  ModelStatisticsRequestSchema,
  ModelStatisticsResponseSchema,
  RepositoryIndexRequestSchema,
  RepositoryIndexResponseSchema,
  ServerLiveRequestSchema,
  ServerLiveResponseSchema,
  ServerMetadataRequestSchema,
  ServerMetadataResponseSchema,
  ServerReadyRequestSchema,
  ServerReadyResponseSchema,
} from "@sconce/protocol/messages";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { type TensorSpec, wireShape } from "../../base/signature.ts";
import type { Inference } from "../../infer/inference.ts";
import { modelConfigDocument } from "../model-config-document.ts";
import { createSharedResponse, type SharedResponse } from "../shared-response.ts";
import { statisticsDocument } from "../statistics-document.ts";

export type Handler = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export interface ServerHandlers {
  readonly ServerLive: Handler;
  readonly ServerReady: Handler;
  readonly ModelReady: Handler;
  readonly ServerMetadata: Handler;
  readonly ModelMetadata: Handler;
  readonly ModelConfig: Handler;
  readonly ModelStatistics: Handler;
  readonly RepositoryIndex: Handler;
}

/** One handler for each method, from request bytes to answer bytes. They throw ServeError. */
export function serverHandlers(inference: Inference, clock: Clock): ServerHandlers {
  const index = (onlyReady: boolean): SharedResponse<Uint8Array> =>
    createSharedResponse(() => {
      const models = inference.index().filter(({ state }) => !onlyReady || state === "READY");
      const response = { models: models.map((entry) => ({ ...entry })) };
      return toBinary(RepositoryIndexResponseSchema, create(RepositoryIndexResponseSchema, response));
    }, clock);
  const statistics = (name?: string, version?: string): Uint8Array => {
    const document = statisticsDocument(inference.modelStatistics(name, version));
    return toBinary(ModelStatisticsResponseSchema, fromDocument(ModelStatisticsResponseSchema, document));
  };
  // Answers about all models cost the more, the more there are, and whoever asks may have the same one.
  const [everyModel, readyModels] = [index(false), index(true)];
  const allStatistics = createSharedResponse(() => statistics(), clock);
  return {
    ServerLive: handler(ServerLiveRequestSchema, ServerLiveResponseSchema, () =>
      create(ServerLiveResponseSchema, { live: inference.isLive() }),
    ),
    ServerReady: handler(ServerReadyRequestSchema, ServerReadyResponseSchema, () =>
      create(ServerReadyResponseSchema, { ready: inference.isReady() }),
    ),
    ModelReady: handler(ModelReadyRequestSchema, ModelReadyResponseSchema, ({ name, version }) =>
      create(ModelReadyResponseSchema, { ready: isReady(inference, name, given(version)) }),
    ),
    ServerMetadata: handler(ServerMetadataRequestSchema, ServerMetadataResponseSchema, () => {
      const { name, version, extensions } = inference.serverMetadata();
      return create(ServerMetadataResponseSchema, { name, version, extensions: [...extensions] });
    }),
    ModelMetadata: handler(ModelMetadataRequestSchema, ModelMetadataResponseSchema, ({ name, version }) => {
      const metadata = inference.modelMetadata(name, given(version));
      return create(ModelMetadataResponseSchema, {
        name: metadata.name,
        versions: [...metadata.versions],
        platform: metadata.platform,
        inputs: metadata.inputs.map(tensorMetadata),
        outputs: metadata.outputs.map(tensorMetadata),
      });
    }),
    ModelConfig: handler(ModelConfigRequestSchema, ModelConfigResponseSchema, ({ name, version }) =>
      fromDocument(ModelConfigResponseSchema, {
        config: modelConfigDocument(inference.modelConfiguration(name, given(version))),
      }),
    ),
    ModelStatistics(bytes) {
      const { name, version } = decodeMessage(ModelStatisticsRequestSchema, bytes);
      return name === "" && version === "" ? allStatistics.get() : statistics(given(name), given(version));
    },
    RepositoryIndex(bytes) {
      const { ready } = decodeMessage(RepositoryIndexRequestSchema, bytes);
      return (ready ? readyModels : everyModel).get();
    },
  };
}

function handler<I extends DescMessage, O extends DescMessage>(
  input: I,
  output: O,
  answer: (request: MessageShape<I>) => MessageShape<O>,
): Handler {
  return (bytes) => toBinary(output, answer(decodeMessage(input, bytes)));
}

/** Triton's clients ask for a model before they load it, and take a status for a failure of the server. */
function isReady(inference: Inference, name: string, version: string | undefined): boolean {
  try {
    return inference.isModelReady(name, version);
  } catch (thrown) {
    if (ServeError.from(thrown).code === "not_found") return false;
    throw thrown;
  }
}

/** Decodes with the generated codec; what it rejects is the caller's mistake. */
export function decodeMessage<I extends DescMessage>(schema: I, bytes: Uint8Array): MessageShape<I> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new ServeError("invalid_argument", `the message is not a valid ${schema.typeName}`, {
      reason: "malformed_message",
      cause,
    });
  }
}

/** Makes a message of what protobuf's JSON would say; bigints stay exact. */
function fromDocument<O extends DescMessage>(schema: O, document: object): MessageShape<O> {
  const text = JSON.stringify(document, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return fromJsonString(schema, text);
}

function given(text: string): string | undefined {
  return text === "" ? undefined : text;
}

function tensorMetadata(spec: TensorSpec): { name: string; datatype: string; shape: bigint[] } {
  return { name: spec.name, datatype: spec.datatype, shape: wireShape(spec).map(BigInt) };
}
