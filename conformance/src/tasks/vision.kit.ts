import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import sharp from "sharp";
import { assertClose, comparePredictions, JSON_TYPE, predict, type TaskServer } from "./task-server.kit.ts";

const TOLERANCE = { absolute: 2e-5, relative: 1e-4 };
/** Pixels on the border of two classes that are as likely as each other. */
const BORDER_SHARE = 0.001;

interface MaskedSegment {
  readonly score: number | null;
  readonly label: string;
  readonly mask: { readonly width: number; readonly height: number; readonly png: string };
}

/** Models that find things in images, take images apart, and listen. */
export async function checkVision(t: TestContext, made: TaskServer): Promise<void> {
  const isMasked = ({ task }: { readonly task: string }): boolean => task === "image-segmentation";
  const others = made.models.filter((model) => !isMasked(model));
  assert.ok(others.some(({ task, requests }) => task === "object-detection" && hasAnswers(requests)));
  await comparePredictions(t, { ...made, models: others }, TOLERANCE);
  for (const { model, requests } of made.models.filter(isMasked)) {
    assert.ok(hasAnswers(requests), model);
    for (const { sent, parameters, expected } of requests) {
      await t.test(`${model} ${String(sent)} ${JSON.stringify(parameters)}`, async () => {
        const input = made.file(String(sent)).toString("base64");
        const body = JSON.stringify({ input, parameters });
        const given = await predict(made.server, model, { body, type: JSON_TYPE });
        await assertSegments(given as Given[], expected as MaskedSegment[]);
      });
    }
  }
  await t.test("a sound that is none, or too odd, is refused", async () => {
    for (const [bytes, words] of [
      [Buffer.from("OggS something else"), /not a WAV file that can be read: it does not begin like one/],
      [Buffer.from("ID3 something else"), /not an MP3 file that can be read: there is no sound in it/],
      [Buffer.from("fLaC something else"), /not a FLAC file that can be read: it is cut short/],
      [made.file("voice.wav").subarray(0, 40), /it has no data/],
      [made.file("voice.wav").subarray(0, 44), /there is no sound in it/],
    ] as const) {
      const response = await fetch(`${made.server.url}/predict/hubert`, {
        method: "POST",
        body: new Uint8Array(bytes),
        headers: { "content-type": "audio/wav" },
      });
      assert.equal(response.status, 400);
      assert.match(await response.text(), words);
    }
  });
}

function hasAnswers(requests: readonly { readonly expected: unknown }[]): boolean {
  return requests.some(({ expected }) => (expected as unknown[]).length > 0);
}

interface Given {
  readonly score: number | null;
  readonly label: string;
  readonly mask: string;
}

async function assertSegments(given: readonly Given[], expected: readonly MaskedSegment[]): Promise<void> {
  const said = (list: readonly (Given | MaskedSegment)[]): unknown =>
    list.map(({ score, label }) => ({ score, label }));
  assertClose(said(given), said(expected), TOLERANCE);
  for (const [i, { mask }] of expected.entries()) {
    const [ours, theirs] = await Promise.all([pixels(given[i]!.mask), pixels(mask.png)]);
    assert.equal(ours.length, theirs.length);
    let differing = 0;
    for (const [at, value] of ours.entries()) if (value !== theirs[at]) differing++;
    assert.ok(
      differing <= BORDER_SHARE * ours.length,
      `${expected[i]!.label}: ${differing} of ${ours.length}`,
    );
  }
}

function pixels(png: string): Promise<Buffer> {
  return sharp(Buffer.from(png, "base64")).toColourspace("b-w").raw().toBuffer();
}
