import type { RequestedSettings } from "../../infer/administration.ts";
import { failing } from "./torchserve-failure.ts";

/** What a request asks for, by TorchServe's names; as text, as a query has it. */
export type Wishes = ReadonlyMap<string, string>;

/** TorchServe's names of a registration, what model.yaml calls them, and how its values are written there. */
const KEYS: Readonly<Record<string, readonly [key: string, value: (count: number) => number | string]>> = {
  batch_size: ["max_batch_size", (count) => count],
  max_batch_delay: ["max_queue_delay", (count) => `${count}ms`],
  initial_workers: ["instances", (count) => count],
  response_timeout: ["execution_timeout", (count) => `${count}s`],
  startup_timeout: ["load_timeout", (count) => `${count}s`],
};

/** Keys of model.yaml for a registration. What is no number from 1 on is not asked for, as for TorchServe. */
export function registeredSettings(wishes: Wishes): RequestedSettings {
  const settings: Record<string, unknown> = {};
  for (const [name, [key, write]] of Object.entries(KEYS)) {
    const count = countOf(wishes.get(name));
    if (count !== undefined && count > 0) settings[key] = write(count);
  }
  return settings;
}

/** How many workers a scaling asks for: between its least and its most. Throws in TorchServe's words. */
export function workersOf(wishes: Wishes): number {
  const least = countOf(wishes.get("min_worker")) ?? 1;
  const most = countOf(wishes.get("max_worker")) ?? least;
  if (most < least)
    throw failing({
      code: 400,
      type: "BadRequestException",
      message: "max_worker cannot be less than min_worker.",
    });
  return least;
}

function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,6}$/.test(text) ? Number(text) : undefined;
}
