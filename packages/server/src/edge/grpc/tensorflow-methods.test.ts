import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  GetModelMetadataRequestSchema,
  GetModelMetadataResponseSchema,
  GetModelStatusRequestSchema,
  GetModelStatusResponseSchema,
  ModelVersionStatus_State,
  PredictRequestSchema,
  PredictResponseSchema,
  SignatureDefMapSchema,
} from "@sconce/protocol/tensorflow";
import { withGrpc } from "./grpc-rig.kit.ts";

const PREDICTION = "/tensorflow.serving.PredictionService";
const PREDICT_TYPES = [PredictRequestSchema, PredictResponseSchema] as const;
const x = {
  dtype: 1,
  tensorShape: {
    dim: [
      { size: 1n, name: "" },
      { size: 2n, name: "" },
    ],
  },
  floatVal: [1, 2],
};

/** Cases are spelled as literals, which the generated types do not take inside of maps. */
const requestOf = (init: object) =>
  create(PredictRequestSchema, init as MessageInitShape<typeof PredictRequestSchema>);

test("Predict, metadata and status answer TensorFlow Serving's clients", async () => {
  await withGrpc({}, async ({ unary, outcomes }) => {
    const request = requestOf({ modelSpec: { name: "affine" }, inputs: { x } });
    const { answer, trailers } = await unary(`${PREDICTION}/Predict`, PREDICT_TYPES, request);
    assert.deepEqual(answer.outputs["y"]?.floatVal, [3, 5]);
    assert.deepEqual(
      [answer.modelSpec?.name, answer.modelSpec?.signatureName],
      ["affine", "serving_default"],
    );
    assert.match(String(trailers.get("server-timing")[0]), /total;dur=/);
    assert.equal(outcomes.at(-1)?.code, "ok");

    const metadata = await unary(
      `${PREDICTION}/GetModelMetadata`,
      [GetModelMetadataRequestSchema, GetModelMetadataResponseSchema],
      create(GetModelMetadataRequestSchema, {
        modelSpec: { name: "affine" },
        metadataField: ["signature_def"],
      }),
    );
    const signatures = anyUnpack(metadata.answer.metadata["signature_def"]!, SignatureDefMapSchema);
    const { inputs, methodName } = signatures!.signatureDef["serving_default"]!;
    assert.deepEqual(
      [inputs["x"]?.dtype, inputs["x"]?.tensorShape?.dim.map(({ size }) => size), methodName],
      [1, [-1n, 2n], "tensorflow/serving/predict"],
    );

    const status = await unary(
      "/tensorflow.serving.ModelService/GetModelStatus",
      [GetModelStatusRequestSchema, GetModelStatusResponseSchema],
      create(GetModelStatusRequestSchema, { modelSpec: { name: "affine" } }),
    );
    assert.deepEqual(
      status.answer.modelVersionStatus.map(({ version, state }) => [version, state]),
      [[1n, ModelVersionStatus_State.AVAILABLE]],
    );
  });
});

test("what fails has gRPC's status, and what is not offered says what is", async () => {
  await withGrpc({}, async ({ unary }) => {
    const predict = (init: object) => unary(`${PREDICTION}/Predict`, PREDICT_TYPES, requestOf(init));
    await assert.rejects(predict({ modelSpec: { name: "nope" }, inputs: { x } }), { code: 5 });
    await assert.rejects(predict({ modelSpec: { name: "affine", signatureName: "b" }, inputs: { x } }), {
      code: 3,
    });
    await assert.rejects(unary(`${PREDICTION}/Predict`, PREDICT_TYPES, Buffer.from([255])), { code: 3 });
    for (const method of ["Classify", "Regress", "MultiInference"]) {
      await assert.rejects(
        unary(`${PREDICTION}/${method}`, PREDICT_TYPES, create(PredictRequestSchema)),
        /UNIMPLEMENTED.*call Predict/,
      );
    }
    await assert.rejects(
      unary(
        `${PREDICTION}/GetModelMetadata`,
        [GetModelMetadataRequestSchema, GetModelMetadataResponseSchema],
        create(GetModelMetadataRequestSchema, { modelSpec: { name: "affine" } }),
      ),
      /expected signature_def/,
    );
  });
});
