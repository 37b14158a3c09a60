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
const SECONDS = 3;
const PITCH = 200;
/** How often a machine that has no time for sound may try again. */
const ATTEMPTS = 10;
const ATTEMPT_MS = 10_000;
const chromium = programOrReason("chromium");

/** A WAV file with two seconds of voice: syllables of a tone whose harmonics are loudest near 700 and 1200 Hz, and a little noise. */
function voice(): Buffer {
  const samples = new Int16Array(RATE * SECONDS);
  const loudness = (hertz: number): number =>
    Math.exp(-(((hertz - 700) / 500) ** 2)) + Math.exp(-(((hertz - 1200) / 600) ** 2));
  let phase = 0;
  let noise = 1;
  for (let i = 0; i < samples.length; i++) {
    const seconds = i / RATE;
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0;
    let sum = 0.03 * (noise / 2 ** 31 - 1);
    phase += (2 * Math.PI * (PITCH + 20 * Math.sin(2 * Math.PI * 3 * seconds))) / RATE;
    const isSyllable = seconds > 0.5 && seconds < SECONDS - 0.5 && (seconds * 2.5) % 1 < 0.6;
    for (let k = 1; isSyllable && k < 30; k++) sum += (Math.sin(k * phase) / k) * loudness(k * PITCH);
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
  const browser = await launchBrowser(chromium.path!, [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${wav}`,
  ]);
  t.after(() => browser.close());
  const { page, complaints } = await openPage(browser);
  const segments = page.locator("#segments li");
  for (let attempt = 1; ; attempt++) {
    await page.goto(`${site.origin}/?server=${server.url.replace("http", "ws")}`);
    await page.getByRole("button", { name: "Listen to the microphone" }).click();
    try {
      await segments.first().waitFor({ timeout: ATTEMPT_MS });
      break;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
  assert.match((await segments.first().textContent()) ?? "", /^\d+\.\d\d s to \d+\.\d\d s$/);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^sconce_live_sequences\{[^}]*\} 1$/m);
  assert.deepEqual(complaints, []);
  // Or the server would wait for the page when it drains.
  await browser.close();
});
