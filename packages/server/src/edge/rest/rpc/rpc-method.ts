import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { GRPCInferenceService, Health, sconceV1 } from "@sconce/protocol/messages";

const SERVICES: readonly DescService[] = [GRPCInferenceService, sconceV1.ModelServing, Health];

/** A method's name in a URL. */
export interface MethodName {
  readonly service: string;
  readonly method: string;
}

/** What a method takes and gives; undefined: there is no such method. */
export function methodOf({ service, method }: MethodName): DescMethod | undefined {
  const found = SERVICES.find(({ typeName }) => typeName === service);
  return found?.methods.find(({ name }) => name === method);
}
