// Streams the microphone to the server and shows when somebody speaks.
import { CHUNK, messageOf, probabilityOf, RATE, SpeechSegments } from "./speech-segments.js";

const [button, meter, state, list] = ["start", "meter", "state", "segments"].map((id) =>
  document.getElementById(id),
);
const server = new URLSearchParams(location.search).get("server") ?? "ws://127.0.0.1:8080";

button.addEventListener("click", () => {
  button.disabled = true;
  listen().catch((error) => {
    state.textContent = String(error.message ?? error);
    button.disabled = false;
  });
});

async function listen() {
  const socket = new WebSocket(`${server}/v2/models/vad/stream`);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () =>
      reject(
        new Error(`no WebSocket at ${server}: is the server started with --cors-origins ${location.origin}?`),
      );
  });
  const segments = new SpeechSegments(({ begin, end }) => {
    const item = document.createElement("li");
    item.textContent = `${begin.toFixed(2)} s to ${end.toFixed(2)} s`;
    list.append(item);
  });
  socket.onmessage = ({ data }) => {
    const probability = probabilityOf(data);
    segments.add(probability);
    meter.value = probability;
    state.textContent = segments.isSpeech ? "speech" : "silence";
  };
  socket.onclose = ({ reason }) => {
    state.textContent = `closed ${reason}`;
    button.disabled = false;
  };
  await capture((chunk) => {
    // A connection that does not keep up is not given more.
    if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 64 * 4 * CHUNK)
      socket.send(messageOf(chunk));
  });
}

/** Calls `onChunk` with every 512 samples of the microphone, at the model's rate. */
async function capture(onChunk) {
  const context = new AudioContext({ sampleRate: RATE });
  await context.audioWorklet.addModule("chunk-worklet.js");
  // As it sounds: what browsers do for calls takes steady voices for noise.
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...raw } });
  const node = new AudioWorkletNode(context, "chunks", { processorOptions: { size: CHUNK } });
  node.port.onmessage = ({ data }) => onChunk(data);
  context.createMediaStreamSource(stream).connect(node);
}
