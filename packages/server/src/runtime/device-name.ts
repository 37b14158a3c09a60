import { ServeError } from "../base/errors.ts";

/** A place to compute, of one instance of a model. */
export interface DeviceName {
  readonly kind: "cpu" | "cuda" | "coreml" | "dml" | "webgpu";
  /** Which one of its kind; undefined: the kind has one, or its first. */
  readonly index: number | undefined;
}

const NAME = /^(?:(cpu|coreml|webgpu)|(cuda|dml)(?::(\d{1,3}))?)$/;

/** Every device that `device` of model.yaml names; `auto` is none. Throws `failed_precondition`/`option_unsupported`. */
export function readDevices(text: string): readonly DeviceName[] {
  if (text === "auto") return [];
  return text.split(",").map((part) => {
    const match = NAME.exec(part.trim());
    if (match === null) {
      const got = JSON.stringify(part.trim().slice(0, 40));
      throw new ServeError(
        "failed_precondition",
        `device: expected auto, cpu, cuda, cuda:N, coreml, dml, dml:N or webgpu, got ${got}`,
        { reason: "option_unsupported" },
      );
    }
    const [, alone, counted, index] = match;
    const kind = (alone ?? counted) as DeviceName["kind"];
    return { kind, index: index === undefined ? undefined : Number(index) };
  });
}

export function deviceText({ kind, index }: DeviceName): string {
  return index === undefined ? kind : `${kind}:${index}`;
}

/** Why a load failed: what it is to compute on is not there. */
export function deviceMissing(device: string, why: string, cause?: unknown): ServeError {
  return new ServeError("failed_precondition", `device: ${device} is not there: ${why}`, {
    reason: "device_missing",
    cause,
  });
}
