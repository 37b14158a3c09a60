// Sends 32 values of a wave as a binary tensor, and compares the answer with how the wave goes on.
const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";
const values = Float32Array.from({ length: 32 }, (_, i) => Math.sin(5 + 0.3 * i));

const header = Buffer.from(
  JSON.stringify({
    inputs: [
      {
        name: "values",
        datatype: "FP32",
        shape: [1, 32],
        parameters: { binary_data_size: values.byteLength },
      },
    ],
  }),
);
const response = await fetch(`${server}/v2/models/series/infer`, {
  method: "POST",
  headers: { "Inference-Header-Content-Length": String(header.length) },
  body: Buffer.concat([header, Buffer.from(values.buffer)]),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error);
const [next] = answer.outputs[0].data;
const expected = Math.sin(5 + 0.3 * 32);
if (Math.abs(next - expected) > 0.2) throw new Error(`${next} is far from ${expected}`);
console.log(`expected ${expected.toFixed(2)}, predicted ${next.toFixed(2)}`);
