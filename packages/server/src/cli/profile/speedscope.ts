import type { ProfileSample } from "./profile-sample.ts";

interface Frame {
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** A profile in speedscope's file format: the stack of modules around each operation, in the order in which they ran. */
export function speedscope(name: string, samples: readonly ProfileSample[], exporter: string): string {
  const frames: Frame[] = [];
  const known = new Map<string, number>();
  const frameOf = (frame: Frame, key: string): number => {
    const at = known.get(key);
    if (at !== undefined) return at;
    frames.push(frame);
    known.set(key, frames.length - 1);
    return frames.length - 1;
  };
  const stacks = samples.map((sample) => framesOf(name, sample).map(([key, frame]) => frameOf(frame, key)));
  const weights = samples.map(({ ms }) => ms);
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name,
    exporter,
    activeProfileIndex: 0,
    shared: { frames },
    profiles: [
      {
        type: "sampled",
        name,
        unit: "milliseconds",
        startValue: 0,
        endValue: weights.reduce((sum, ms) => sum + ms, 0),
        samples: stacks,
        weights,
      },
    ],
  });
}

/** From the model to what the engine ran, each with a key of its own. */
function framesOf(model: string, { place, kernel }: ProfileSample): [string, Frame][] {
  const frames: [string, Frame][] = [["", { name: model }]];
  if (place === undefined) return [...frames, [`?${kernel}`, { name: kernel }]];
  let path = "";
  for (const part of place.module === "" ? [] : place.module.split(".")) {
    path = path === "" ? part : `${path}.${part}`;
    frames.push([path, { name: part }]);
  }
  const { op, line } = place;
  if (op !== "") frames.push([`${path}:${op}@${line}`, { name: op, ...sourceOf(line) }]);
  return [...frames, [`${path}:${op}@${line}:${kernel}`, { name: kernel }]];
}

function sourceOf(line: string | undefined): Pick<Frame, "file" | "line"> {
  const [, file, number] = /^(.*):(\d+)$/.exec(line ?? "") ?? [];
  return file === undefined ? {} : { file, line: Number(number) };
}
