// Tests the microphone page of examples/speech in Chromium: a WebSocket with the sound of a microphone, Silero VAD behind it.
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { programOrReason } from "../program.ts";
import { requirePackages } from "../real/packages.kit.ts";
import { startServerProcess } from "../server-process.ts";
import { launchBrowser, openPage } from "./browser.kit.ts";
import { serveSite } from "./site.kit.ts";

const EXAMPLE = fileURLToPath(new URL("../../../examples/speech", import.meta.url));
const RATE = 16_000;
const SECONDS = 2;
const chromium = programOrReason("chromium");

/** A WAV file with a second of voice between two halves of silence: syllables of a tone whose harmonics are loudest near 700 and 1200 Hz. */
function voice(): Buffer {
  const samples = new Int16Array(RATE * SECONDS);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const seconds = i / RATE;
    const pitch = 120 + 20 * Math.sin(2 * Math.PI * 3 * seconds);
    phase += (2 * Math.PI * pitch) / RATE;
    if (seconds < 0.5 || seconds > 1.5 || (seconds * 2.5) % 1 > 0.6) continue;
    let sum = 0;
    for (let k = 1; k < 30; k++) {
      const loudness = Math.exp(-(((k * 120 - 700) / 500) ** 2)) + Math.exp(-(((k * 120 - 1200) / 600) ** 2));
      sum += (Math.sin(k * phase) / k) * loudness;
    }
    samples[i] = Math.max(-1, Math.min(1, 0.3 * sum)) * 32_767;
  }
  const head = Buffer.alloc(44);
  head.write("RIFF");
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(1, 22); // one channel
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(2 * RATE, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

function exampleFiles(): Record<string, Buffer> {
  const names = readdirSync(EXAMPLE).filter((name) => /\.(?:html|js)$/.test(name));
  const files = Object.fromEntries(names.map((name) => [`/${name}`, readFileSync(join(EXAMPLE, name))]));
  return { ...files, "/": files["/index.html"]! };
}

test("the microphone page says when somebody speaks", {
  skip: chromium.skip,
  timeout: 300_000,
}, async (t) => {
  const packages = requirePackages(t);
  if (packages === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-microphone-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const wav = join(folder, "voice.wav");
  writeFileSync(wav, voice());
  cpSync(join(EXAMPLE, "models"), join(folder, "models"), { recursive: true });
  copyFileSync(
    join(packages, "silero_vad", "data", "silero_vad.jit"),
    join(folder, "models", "vad", "model.pt"),
  );
  const site = await serveSite(exampleFiles());
  t.after(() => site.close());
  const server = await startServerProcess([join(folder, "models"), "--cors-origins", site.origin]);
  t.after(() => server.stop());
  // The file is heard again and again.
  const browser = await launchBrowser(chromium.path!, [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${wav}`,
  ]);
  t.after(() => browser.close());
  const { page, complaints } = await openPage(browser);
  await page.goto(`${site.origin}/?server=${server.url.replace("http", "ws")}`);
  await page.getByRole("button", { name: "Listen to the microphone" }).click();
  const segments = page.locator("#segments li");
  await segments.nth(1).waitFor();
  for (const text of (await segments.allTextContents()).slice(0, 2))
    assert.match(text, /^\d+\.\d\d s to \d+\.\d\d s$/);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^sconce_live_sequences\{[^}]*\} 1$/m);
  assert.deepEqual(complaints, []);
});
