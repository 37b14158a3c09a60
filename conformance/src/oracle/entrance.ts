import type { Translation } from "@sconce/torch";
import { compileInputCheck, type NamedTensor, signatureOfPorts } from "../internals/edge-check.ts";
import type { FixtureTensor } from "./fixture-pack.ts";

/** Whether a server lets inputs in: the check that it runs itself, with sizes, indices and guards. */
export type Entrance = (inputs: readonly FixtureTensor[]) => boolean;

/** The entrance of a translated program. */
export function entranceOf(translation: Translation): Entrance {
  const signature = signatureOfPorts(translation);
  const check = compileInputCheck(signature);
  return (inputs) => {
    const tensors = signature.inputs.map(
      ({ name, datatype }, i): NamedTensor => ({
        name,
        datatype,
        shape: [...(inputs[i]?.shape ?? [])],
        bytes: inputs[i]?.bytes ?? new Uint8Array(),
      }),
    );
    try {
      check(tensors);
      return true;
    } catch {
      return false;
    }
  };
}
