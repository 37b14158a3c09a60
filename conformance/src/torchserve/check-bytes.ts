import assert from "node:assert/strict";
import { type Message, protoClient } from "../grpc-client.ts";

/** What text and bytes can be: empty, not UTF-8, zeros, JSON, what JSON escapes, beyond 16 bits, large. */
const VALUES: readonly Buffer[] = [
  Buffer.from("plain text"),
  Buffer.alloc(0),
  Buffer.from('é ☃ \u{1d11e} \ufeff \u0000 "\\\n'),
  Buffer.from('{"b64": "AP8="}'),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.from([0xff]),
  Buffer.alloc(300_001, "abc\u{1f600}"),
];
const SHAPE = [VALUES.length];
const TENSOR = { datatype: "BYTES", shape: SHAPE };
const HEADS = VALUES.map((value) =>
  Buffer.from(JSON.stringify({ parts: [{ name: "echo", type: "image/png", bytes: value.length }] })),
);

/** Asks a handler that gives back the field `echo` for all of them at once, in every spelling of such a request. */
export async function checkBytes(url: string, model: string): Promise<void> {
  const infer = `${url}/v2/models/${model}/infer`;
  const asJson = async (path: string, body: object): Promise<Record<string, unknown>> => {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
    assert.equal(response.status, 200, path);
    return (await response.json()) as Record<string, unknown>;
  };
  const [body, head] = [VALUES.map(jsonOf), HEADS.map(jsonOf)];
  const { outputs } = await asJson(infer, {
    inputs: [
      { name: "body", ...TENSOR, data: body },
      { name: "head", ...TENSOR, data: head },
    ],
  });
  assert.deepEqual((outputs as readonly { readonly data: readonly unknown[] }[])[0]!.data, body, "REST");
  const { prediction } = await asJson(`${url}/predict/${model}`, { input: { body, head } });
  assert.deepEqual((prediction as { readonly response: unknown }).response, body, "the short form");
  assert.deepEqual(await overBinary(infer), packed(VALUES), "REST with binary data");
  await checkGrpc(new URL(url).host, model);
}

/** What is UTF-8 as a string, the rest as base64. */
function jsonOf(value: Buffer): unknown {
  const text = value.toString();
  return Buffer.from(text).equals(value) ? text : { b64: value.toString("base64") };
}

function packed(values: readonly Buffer[]): Buffer {
  return Buffer.concat(
    values.flatMap((value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(value.length);
      return [length, value];
    }),
  );
}

async function overBinary(url: string): Promise<Buffer> {
  const tensors = [packed(VALUES), packed(HEADS)];
  const inputs = ["body", "head"].map((name, i) => {
    return { name, ...TENSOR, parameters: { binary_data_size: tensors[i]!.length } };
  });
  const outputs = [{ name: "response", parameters: { binary_data: true } }];
  const header = Buffer.from(JSON.stringify({ inputs, outputs }));
  const response = await fetch(url, {
    method: "POST",
    headers: { "inference-header-content-length": String(header.length) },
    body: Buffer.concat([header, ...tensors]),
  });
  assert.equal(response.status, 200);
  const length = Number(response.headers.get("inference-header-content-length"));
  return Buffer.from(await response.arrayBuffer()).subarray(length);
}

async function checkGrpc(target: string, model: string): Promise<void> {
  const client = protoClient({
    proto: "inference/grpc_service.proto",
    service: "inference.GRPCInferenceService",
    target,
  });
  const [body, head] = ["body", "head"].map((name) => ({ name, ...TENSOR }));
  const forms: Readonly<Record<string, Message>> = {
    raw: { inputs: [body, head], rawInputContents: [packed(VALUES), packed(HEADS)] },
    typed: {
      inputs: [
        { ...body, contents: { bytesContents: VALUES } },
        { ...head, contents: { bytesContents: HEADS } },
      ],
    },
  };
  try {
    for (const [form, tensors] of Object.entries(forms)) {
      const answer = await client.unary("ModelInfer", { modelName: model, ...tensors });
      const raw = answer["rawOutputContents"] as readonly Buffer[];
      const [first] = answer["outputs"] as readonly {
        readonly contents: { readonly bytesContents: readonly Buffer[] } | null;
      }[];
      const given = raw.length > 0 ? raw[0]! : packed(first!.contents!.bytesContents);
      assert.deepEqual(given, packed(VALUES), `gRPC, ${form}`);
    }
  } finally {
    client.close();
  }
}
