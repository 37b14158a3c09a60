import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  checkSignature,
  GetModelMetadataRequestSchema,
  GetModelMetadataResponseSchema,
  GetModelStatusRequestSchema,
  GetModelStatusResponseSchema,
  type ModelSpec,
  ModelVersionStatus_State,
  rejectLabel,
  SIGNATURE_NAME,
  SignatureDefMapSchema,
  TYPE_OF,
} from "@sconce/protocol/tensorflow";
import { ServeError } from "../../base/errors.ts";
import { type TensorSpec, wireShape } from "../../base/signature.ts";
import { checkModelName } from "../../gate/model-name.ts";
import type { IndexEntry } from "../../models/registry.ts";
import { defaultModelOf } from "../default-model.ts";
import type { InferenceDeps } from "./inquiry.ts";
import { decodeMessage } from "./server-handlers.ts";

interface TensorflowHandlers {
  GetModelMetadata(bytes: Uint8Array): Uint8Array;
  GetModelStatus(bytes: Uint8Array): Uint8Array;
}

const METHOD_NAME = "tensorflow/serving/predict";
const STATES: Readonly<Record<IndexEntry["state"], ModelVersionStatus_State>> = {
  READY: ModelVersionStatus_State.AVAILABLE,
  LOADING: ModelVersionStatus_State.LOADING,
  UNLOADING: ModelVersionStatus_State.UNLOADING,
  UNAVAILABLE: ModelVersionStatus_State.END,
};
/** `google.rpc.Code.UNAVAILABLE`. */
const UNAVAILABLE = 14;

/** TensorFlow Serving's reports, from request bytes to response bytes. They throw ServeError. */
export function tensorflowHandlers(deps: InferenceDeps): TensorflowHandlers {
  const { inference } = deps;
  const asked = (spec: ModelSpec | undefined): readonly [name: string, version: string | undefined] => {
    const { name: given = "", signatureName = "", versionChoice } = spec ?? {};
    checkSignature(signatureName);
    if (versionChoice?.case === "versionLabel") rejectLabel(versionChoice.value);
    const name = given === "" ? defaultModelOf(deps, (model) => `model_spec.name "${model}"`) : given;
    checkModelName(name);
    return [name, versionChoice?.case === "version" ? String(versionChoice.value.value) : undefined];
  };
  return {
    GetModelMetadata(bytes) {
      const { modelSpec, metadataField } = decodeMessage(GetModelMetadataRequestSchema, bytes);
      checkFields(metadataField);
      const [wanted, version] = asked(modelSpec);
      const { name, versions, inputs, outputs } = inference.modelMetadata(wanted, version);
      const signature = {
        inputs: tensorInfos(inputs),
        outputs: tensorInfos(outputs),
        methodName: METHOD_NAME,
      };
      const definitions = create(SignatureDefMapSchema, { signatureDef: { [SIGNATURE_NAME]: signature } });
      const response = create(GetModelMetadataResponseSchema, {
        modelSpec: {
          name,
          versionChoice: { case: "version", value: { value: numberOf(version ?? versions.at(-1)) } },
        },
        metadata: { signature_def: anyPack(SignatureDefMapSchema, definitions) },
      });
      return toBinary(GetModelMetadataResponseSchema, response);
    },
    GetModelStatus(bytes) {
      const [name, version] = asked(decodeMessage(GetModelStatusRequestSchema, bytes).modelSpec);
      // Throws for an unknown model.
      inference.isModelReady(name, version);
      const entries = inference
        .index()
        .filter((entry) => entry.name === name && (version === undefined || entry.version === version));
      const response = create(GetModelStatusResponseSchema, {
        modelVersionStatus: entries.map(({ version: own, state, reason }) => ({
          version: numberOf(own),
          state: STATES[state],
          status: { errorCode: state === "UNAVAILABLE" ? UNAVAILABLE : 0, errorMessage: reason },
        })),
      });
      return toBinary(GetModelStatusResponseSchema, response);
    },
  };
}

function checkFields(fields: readonly string[]): void {
  if (fields.length > 0 && fields.every((field) => field === "signature_def")) return;
  throw new ServeError("invalid_argument", "metadata_field: expected signature_def, the only one there is", {
    reason: "bad_parameter",
  });
}

function numberOf(version: string | undefined): bigint {
  return version !== undefined && /^\d{1,18}$/.test(version) ? BigInt(version) : 0n;
}

function tensorInfos(specs: readonly TensorSpec[]): Record<string, object> {
  return Object.fromEntries(
    specs.map((spec) => [
      spec.name,
      {
        name: spec.name,
        dtype: TYPE_OF[spec.datatype],
        tensorShape: {
          dim: wireShape(spec).map((size) => ({ size: BigInt(size), name: "" })),
          unknownRank: spec.isRankFree === true,
        },
      },
    ]),
  );
}
