// Which digit is on a picture? Reads its pixels, and sends them as JSON: node ask.mjs scans/7.png
import sharp from "sharp";

const server = process.env.SCONCE_URL || "http://127.0.0.1:8080";
const pixels = await sharp(process.argv[2]).greyscale().raw().toBuffer();
const response = await fetch(`${server}/v2/models/digits/infer`, {
  method: "POST",
  body: JSON.stringify({
    // Grey from 0 to 1, as the network was trained.
    inputs: [
      {
        name: "image",
        datatype: "FP32",
        shape: [1, 1, 8, 8],
        data: Array.from(pixels, (grey) => grey / 255),
      },
    ],
  }),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error);
const scores = answer.outputs[0].data;
const best = scores.indexOf(Math.max(...scores));
console.log(`${best} (${scores[best].toFixed(3)})`);
