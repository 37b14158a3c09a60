// Sends an image's pixels to the model of this folder as a binary tensor: node ask.mjs picture.png
import { readFileSync } from "node:fs";
import sharp from "sharp";

const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";
const SIZE = 64;

/** Pixels as a network takes them: all of red, then green, then blue. */
const { data } = await sharp(readFileSync(process.argv[2]))
  .removeAlpha()
  .resize(SIZE, SIZE, { fit: "fill" })
  .raw()
  .toBuffer({ resolveWithObject: true });
const pixels = Buffer.alloc(3 * SIZE * SIZE);
for (let i = 0; i < SIZE * SIZE; i++)
  for (let c = 0; c < 3; c++) pixels[c * SIZE * SIZE + i] = data[3 * i + c];

const header = Buffer.from(
  JSON.stringify({
    inputs: [
      {
        name: "picture",
        datatype: "UINT8",
        shape: [1, 3, SIZE, SIZE],
        parameters: { binary_data_size: pixels.length },
      },
    ],
  }),
);
const response = await fetch(`${server}/v2/models/pictures/infer`, {
  method: "POST",
  headers: { "Inference-Header-Content-Length": String(header.length) },
  body: Buffer.concat([header, pixels]),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error);
const classes = answer.outputs[0].data;
console.log(classes.length, "probabilities that add up to", classes.reduce((a, b) => a + b, 0).toFixed(3));
