import { expectedDigits } from "../expected-digits.ts";
import { monotonicMs, sleep } from "./monotonic.ts";

/** One answer of a model that should be the digits model. */
export interface DigitsAnswer {
  readonly status: number;
  /** 0: it was not an answer. */
  readonly version: number;
  readonly isRight: boolean;
  /** What was wrong, in words. */
  readonly detail: string;
}

/** Clients that ask one model again and again, as long as the faults go on. */
export interface DigitsProbe {
  readonly answers: number;
  /** Lengths of the answers' waits, in milliseconds: the longest. */
  readonly slowestMs: number;
  /** `0`, or how many failed and how the first of them did. */
  stop(): Promise<string>;
}

const [DIGIT] = expectedDigits().digits;
/** As the server writes what a broken model computes, and no JSON parser reads. */
const NO_NUMBER = /\bNaN\b|-?\bInfinity\b/g;
const TOLERANCE = 1e-2;
const PATIENCE_MS = 60_000;
const BODY = JSON.stringify({
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: [...DIGIT!.image] }],
});

/** Asks once. Never rejects. `path` is the model's, such as `digits/versions/1`. */
export async function askDigits(url: string, path: string): Promise<DigitsAnswer> {
  const failed = { version: 0, isRight: false };
  try {
    const response = await fetch(`${url}/v2/models/${path}/infer`, {
      method: "POST",
      body: BODY,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    if (response.status !== 200) return { ...failed, status: response.status, detail: text.slice(0, 500) };
    const { model_version, outputs } = JSON.parse(text.replace(NO_NUMBER, "null")) as {
      readonly model_version: string;
      readonly outputs: readonly { readonly name: string; readonly data: readonly number[] }[];
    };
    const given = outputs.find(({ name }) => name === "probabilities")?.data ?? [];
    const isRight = DIGIT!.probabilities.every((p, index) => Math.abs(p - given[index]!) <= TOLERANCE);
    const detail = isRight ? "" : `version ${model_version} answered ${given.join(" ")}`;
    return { status: 200, version: Number(model_version), isRight, detail };
  } catch (error) {
    return { ...failed, status: 0, detail: String(error) };
  }
}

/** Asks with `clients` at a time until it is stopped. */
export function startDigitsProbe(
  url: string,
  path: string,
  { clients = 2, pauseMs = 10 }: { readonly clients?: number; readonly pauseMs?: number } = {},
): DigitsProbe {
  let isStopped = false;
  let [answers, failures, slowestMs] = [0, 0, 0];
  let firstFailure = "";
  const ask = async (): Promise<void> => {
    while (!isStopped) {
      const startMs = monotonicMs();
      const answer = await askDigits(url, path);
      slowestMs = Math.max(slowestMs, monotonicMs() - startMs);
      if (answer.isRight) answers += 1;
      else {
        failures += 1;
        firstFailure ||= `${answer.status} ${answer.detail}`;
      }
      await sleep(pauseMs);
    }
  };
  const running = Promise.all(Array.from({ length: clients }, ask));
  return {
    get answers() {
      return answers;
    },
    get slowestMs() {
      return slowestMs;
    },
    async stop() {
      isStopped = true;
      await running;
      return failures === 0 ? "0" : `${failures} (${firstFailure})`;
    },
  };
}
