import { create, type DescFile, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
  file_inference_grpc_service,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  sconceV1,
} from "@sconce/protocol/messages";
import { decodeMessage } from "./server-handlers.ts";

const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/** The files whose services we serve. None imports another, so each is complete alone. */
const FILES: readonly DescFile[] = [
  file_inference_grpc_service,
  sconceV1.file_sconce_v1_model_serving,
  file_grpc_health_v1_health,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
];

/**
 * Answers one ServerReflectionRequest (v1 and v1alpha have the same fields). Throws `invalid_argument` for malformed bytes; an
 * unknown name is an error inside the response, as the protocol has it.
 */
export function reflectionResponses(): (bytes: Uint8Array) => Uint8Array {
  const bySymbol = new Map(FILES.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file] as const)));
  const answerTo = (request: ServerReflectionRequest): Answer => {
    const { messageRequest } = request;
    switch (messageRequest.case) {
      case "listServices":
        return listServices();
      case "fileByFilename":
        return fileAnswer(FILES.find((file) => `${file.name}.proto` === messageRequest.value));
      case "fileContainingSymbol":
        return fileAnswer(fileOf(bySymbol, messageRequest.value));
      case "allExtensionNumbersOfType":
        return bySymbol.has(messageRequest.value)
          ? {
              case: "allExtensionNumbersResponse",
              value: { baseTypeName: messageRequest.value, extensionNumber: [] },
            }
          : failure(NOT_FOUND, "there is no such type");
      case "fileContainingExtension":
        return failure(NOT_FOUND, "there are no extensions");
      default:
        return failure(INVALID_ARGUMENT, "the request asks for nothing that this server knows");
    }
  };
  return (bytes) => {
    const originalRequest = decodeMessage(ServerReflectionRequestSchema, bytes);
    const messageResponse = answerTo(originalRequest);
    const validHost = originalRequest.host;
    const response = create(ServerReflectionResponseSchema, { validHost, originalRequest, messageResponse });
    return toBinary(ServerReflectionResponseSchema, response);
  };
}

function listServices(): Answer {
  const service = FILES.flatMap((file) => file.services).map(({ typeName }) => ({ name: typeName }));
  return { case: "listServicesResponse", value: { service } };
}

function fileAnswer(file: DescFile | undefined): Answer {
  if (file === undefined) return failure(NOT_FOUND, "there is no such file or symbol");
  const fileDescriptorProto = [toBinary(FileDescriptorProtoSchema, file.proto)];
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** The file of a type or service, or of something inside one (a method, a field, an enum value). */
function fileOf(bySymbol: ReadonlyMap<string, DescFile>, symbol: string): DescFile | undefined {
  return bySymbol.get(symbol) ?? bySymbol.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf("."))));
}

function symbolsOf(file: DescFile): string[] {
  const named = [...file.services, ...file.enums].map(({ typeName }) => typeName);
  return [...named, ...file.messages.flatMap(messageSymbols)];
}

function messageSymbols(message: DescMessage): string[] {
  const enums = message.nestedEnums.map(({ typeName }) => typeName);
  return [message.typeName, ...enums, ...message.nestedMessages.flatMap(messageSymbols)];
}
