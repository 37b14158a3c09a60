import { type Need, needLabel } from "../../onnx/input-fault.ts";
import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

/** A 0-d int64 0, in a run that fails, in words about `need`, where one of the `faults` is true. Its user has to make the result depend on it. */
export function requirement(g: Emitter, need: Need, faults: Val): Val {
  const flat = g.reshape(g.cast(faults, "int32"), [-1]);
  // One more, so that there is something to reduce.
  const some = g.op("Concat", [flat, g.constant("int32", [0], [1])], { axis: 0 });
  const isFault = g.op("ReduceMax", [some, g.ints([0])], { keepdims: 0 });
  // A fault is at position 1 of a list of one.
  return g.labelled(needLabel(g.target, need), () => g.op("Gather", [g.ints([0]), g.cast(isFault, "int64")]));
}

/** The most places that data may ask for: 1 GiB of int64. */
const MOST_PLACES = 1 << 27;

/** A 0-d int64 count that the data decide, in a run that fails where memory for so many places is not there to be had. */
export function withinRoom(g: Emitter, count: Val): Val {
  const isTooMany = g.op("Greater", [count, g.scalar("int64", MOST_PLACES)]);
  return g.op("Add", [count, requirement(g, "room", isTooMany)]);
}
