// Asks the model at each stroke's end which digit is drawn.
import { createClient, tensor } from "@sconce/client";

const [paper, again, digit] = ["paper", "again", "digit"].map((id) => document.getElementById(id));
const pen = paper.getContext("2d", { willReadFrequently: true });
const client = createClient(new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8080");
/** Pixels of the paper for one of the model's, in each direction. */
const CELL = 32;
const SIZE = 8;
let asking = new AbortController();

/** The drawing as the model takes it: 8 × 8 shades from 0 to 1. */
function shades() {
  return Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const { data } = pen.getImageData((i % SIZE) * CELL, Math.floor(i / SIZE) * CELL, CELL, CELL);
    let sum = 0;
    for (let k = 0; k < data.length; k += 4) sum += data[k] * (data[k + 3] / 255);
    return sum / (255 * CELL * CELL);
  });
}

async function ask() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    const image = tensor("FP32", [1, 1, SIZE, SIZE], shades());
    const { outputs } = await client.infer("digits", { image }, { signal });
    const scores = outputs.probabilities.data;
    const best = scores.indexOf(Math.max(...scores));
    digit.textContent = `${best} (${(100 * scores[best]).toFixed(0)} %)`;
  } catch (error) {
    // Another stroke was faster.
    if (!signal.aborted) digit.textContent = error.message;
  }
}

pen.strokeStyle = "#fff";
pen.lineWidth = 48;
pen.lineCap = "round";
paper.addEventListener("pointerdown", (event) => {
  paper.setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(event.offsetX, event.offsetY);
});
paper.addEventListener("pointermove", (event) => {
  if (event.buttons === 0) return;
  pen.lineTo(event.offsetX, event.offsetY);
  pen.stroke();
});
paper.addEventListener("pointerup", ask);
again.addEventListener("click", () => {
  asking.abort();
  pen.clearRect(0, 0, paper.width, paper.height);
  digit.textContent = "";
});
