import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { StatusObject } from "@grpc/grpc-js";
import {
  GRPCInferenceService,
  Health,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "@sconce/protocol/messages";
import { until } from "../../base/until.kit.ts";
import { collect, type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";

type Methods = typeof GRPCInferenceService.method;

/** Calls a unary method of the inference service by its descriptor. */
async function ask<
  K extends
    | "serverLive"
    | "serverReady"
    | "modelReady"
    | "serverMetadata"
    | "modelMetadata"
    | "repositoryIndex",
>(
  { unary }: GrpcRig,
  name: K,
  init: MessageInitShape<Methods[K]["input"]>,
): Promise<MessageShape<Methods[K]["output"]>> {
  const method: { input: DescMessage; output: DescMessage; name: string } = GRPCInferenceService.method[name];
  const path = `/${GRPCInferenceService.typeName}/${method.name}`;
  const { answer } = await unary(path, [method.input, method.output], create(method.input, init));
  return answer as MessageShape<Methods[K]["output"]>;
}

test("the six questions about the server and its models", async () => {
  await withGrpc({}, async (rig) => {
    assert.equal((await ask(rig, "serverLive", {})).live, true);
    assert.equal((await ask(rig, "serverReady", {})).ready, true);
    assert.equal((await ask(rig, "modelReady", { name: "affine" })).ready, true);
    assert.equal((await ask(rig, "serverMetadata", {})).name, "sconce");
    const metadata = await ask(rig, "modelMetadata", { name: "affine" });
    assert.deepEqual([metadata.name, metadata.versions, metadata.platform], ["affine", ["1"], "memory"]);
    assert.deepEqual([metadata.inputs[0]?.name, metadata.inputs[0]?.shape], ["x", [-1n, 2n]]);
    const all = (await ask(rig, "repositoryIndex", {})).models;
    const ready = (await ask(rig, "repositoryIndex", { ready: true })).models;
    assert.equal(all.length - ready.length, 1);
    assert.equal(all.find(({ name }) => name === "broken")?.reason, "it is broken");
    rig.inference.ready = false;
    assert.equal((await ask(rig, "serverReady", {})).ready, false);
    for (const name of ["nope", "", "../etc"])
      assert.equal(
        (await ask(rig, "modelReady", { name })).ready,
        false,
        "as Triton says of a model it does not know",
      );
    assert.equal((await ask(rig, "modelReady", { name: "affine", version: "9" })).ready, false);
    await assert.rejects(ask(rig, "modelMetadata", { name: "nope" }), { code: 5 });
  });
});

test("a malformed question is INVALID_ARGUMENT, an unknown method UNIMPLEMENTED", async () => {
  await withGrpc({}, async ({ unary }) => {
    const types = [HealthCheckRequestSchema, HealthCheckResponseSchema] as const;
    const bad = Buffer.from([0x0a, 9]);
    await assert.rejects(unary("/inference.GRPCInferenceService/ModelReady", types, bad), { code: 3 });
    await assert.rejects(unary("/inference.GRPCInferenceService/Nope", types, bad), { code: 12 });
  });
});

const CHECK_TYPES = [HealthCheckRequestSchema, HealthCheckResponseSchema] as const;

function check({ unary }: GrpcRig, service: string) {
  const message = create(HealthCheckRequestSchema, { service });
  return unary(`/${Health.typeName}/Check`, CHECK_TYPES, message).then(({ answer }) => answer.status);
}

test("health: the server, its services and its models", async () => {
  await withGrpc({}, async (rig) => {
    for (const service of ["", "inference.GRPCInferenceService", "sconce.v1.ModelServing", "affine"]) {
      assert.equal(await check(rig, service), Serving.SERVING, service);
    }
    await assert.rejects(check(rig, "nope"), { code: 5 });
    const types = [HealthCheckRequestSchema, HealthListResponseSchema] as const;
    const { answer } = await rig.unary(`/${Health.typeName}/List`, types, create(HealthCheckRequestSchema));
    assert.equal(answer.statuses["affine"]?.status, Serving.SERVING);
    rig.edge.setServing(false);
    for (const service of ["", "affine"])
      assert.equal(await check(rig, service), Serving.NOT_SERVING, service);
  });
});

test("health Watch tells the state at once and every change, until the drain", async () => {
  await withGrpc({}, async (rig) => {
    const seen: Serving[] = [];
    const watch = rig.client.makeServerStreamRequest(
      `/${Health.typeName}/Watch`,
      (bytes: Buffer) => bytes,
      (bytes) => fromBinary(HealthCheckResponseSchema, bytes),
      Buffer.from([0x0a, 6, ...Buffer.from("affine")]),
    );
    watch.on("data", ({ status }: HealthCheckResponse) => seen.push(status));
    watch.on("error", () => {});
    const ended = new Promise<StatusObject>((resolve) => watch.on("status", resolve));
    await until("it tells the state", () => seen.length === 1);
    rig.inference.ready = false;
    await until("it tells the change", () => seen.length === 2);
    assert.deepEqual(seen, [Serving.SERVING, Serving.NOT_SERVING]);
    await rig.edge.close();
    assert.equal((await ended).code, 14);
  });
});

test("reflection lists the services and describes them, in both versions", async () => {
  await withGrpc({}, async (rig) => {
    for (const version of ["v1", "v1alpha"]) {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const stream = rig.stream(path, [ServerReflectionRequestSchema, ServerReflectionResponseSchema]);
      const questions = [
        { case: "listServices", value: "" },
        { case: "fileContainingSymbol", value: "sconce.v1.ModelServing.StreamPredict" },
        { case: "fileContainingSymbol", value: "inference.ModelInferRequest.InferInputTensor" },
        { case: "fileByFilename", value: "grpc/health/v1/health.proto" },
        { case: "fileContainingSymbol", value: "nope" },
      ] as const;
      for (const messageRequest of questions)
        stream.write(create(ServerReflectionRequestSchema, { messageRequest }));
      stream.end();
      const { messages, status } = await collect(stream);
      assert.equal(status.code, 0);
      const answers = messages.map(({ messageResponse }) => messageResponse);
      const services = answers[0]?.case === "listServicesResponse" ? answers[0].value.service : [];
      assert.deepEqual(
        services.map(({ name }) => name),
        [
          "inference.GRPCInferenceService",
          "sconce.v1.ModelServing",
          "grpc.health.v1.Health",
          "grpc.reflection.v1.ServerReflection",
          "grpc.reflection.v1alpha.ServerReflection",
        ],
      );
      const files = answers.slice(1, 4).map((answer) => {
        const [bytes] = answer?.case === "fileDescriptorResponse" ? answer.value.fileDescriptorProto : [];
        return fromBinary(FileDescriptorProtoSchema, bytes!) as FileDescriptorProto;
      });
      assert.deepEqual(
        files.map(({ package: name }) => name),
        ["sconce.v1", "inference", "grpc.health.v1"],
      );
      assert.ok(
        files[0]?.service[0]?.method.some(
          ({ name, clientStreaming }) => name === "StreamPredict" && clientStreaming,
        ),
      );
      assert.equal(answers[4]?.case === "errorResponse" && answers[4].value.errorCode, 5);
    }
  });
});
