// Runs in the browser's audio thread: gathers 128 samples at a time into chunks.
class Chunks extends AudioWorkletProcessor {
  #chunk;
  #filled = 0;

  constructor({ processorOptions: { size } }) {
    super();
    this.#chunk = new Float32Array(size);
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      this.#chunk[this.#filled++] = sample;
      if (this.#filled < this.#chunk.length) continue;
      this.port.postMessage(this.#chunk.slice());
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("chunks", Chunks);
