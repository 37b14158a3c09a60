// Finds speech in a WAV file, chunk by chunk as it would come from a microphone: node find-speech.js talk.wav [ws://127.0.0.1:8080]
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CHUNK, messageOf, probabilityOf, RATE, SpeechSegments } from "./speech-segments.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
const [file, server = "ws://127.0.0.1:8080"] = positionals;
if (file === undefined) {
  console.error("usage: node find-speech.js FILE.wav [ws://127.0.0.1:8080] [--json]");
  process.exit(2);
}
const samples = readWav(readFileSync(file));
const probabilities = [];
const segments = new SpeechSegments(({ begin, end }) => {
  if (!values.json) console.log(`speech from ${begin.toFixed(2)} s to ${end.toFixed(2)} s`);
});
for await (const probability of stream(samples)) {
  probabilities.push(probability);
  segments.add(probability);
}
segments.end();
if (values.json) console.log(JSON.stringify(probabilities));

/** Sends a chunk when the one before is answered; the last one is filled with silence. */
async function* stream(samples) {
  // Node 22 has a WebSocket of its own.
  const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
  const socket = new WebSocket(`${server}/v2/models/vad/stream`);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`there is no server at ${server}, or no model vad`));
  });
  for (let at = 0; at < samples.length; at += CHUNK) {
    const answer = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onclose = ({ reason }) => reject(new Error(`the server closed the connection: ${reason}`));
    });
    socket.send(messageOf(samples.subarray(at, at + CHUNK)));
    yield probabilityOf(await answer);
  }
  socket.onclose = null;
  socket.close();
}

/** Samples from −1 to 1 of a WAV file with one channel of 16-bit PCM at 16 kHz; `ffmpeg -i talk.mp3 -ar 16000 -ac 1 talk.wav` makes one. */
function readWav(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at) => bytes.toString("latin1", at, at + 4);
  if (name(0) !== "RIFF" || name(8) !== "WAVE") throw new Error(`${file} is not a WAV file`);
  let isRight = false;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (name(at) === "fmt ") {
      const [format, channels, rate, bits] = [
        view.getUint16(at + 8, true),
        view.getUint16(at + 10, true),
        view.getUint32(at + 12, true),
        view.getUint16(at + 22, true),
      ];
      isRight = format === 1 && channels === 1 && rate === RATE && bits === 16;
    }
    if (name(at) === "data") {
      if (!isRight) throw new Error(`${file}: expected one channel of 16-bit PCM at ${RATE} Hz`);
      const count = Math.floor(Math.min(length, bytes.length - at - 8) / 2);
      return Float32Array.from({ length: count }, (_, i) => view.getInt16(at + 8 + 2 * i, true) / 32768);
    }
    at += 8 + length + (length % 2);
  }
  throw new Error(`${file} has no samples`);
}
