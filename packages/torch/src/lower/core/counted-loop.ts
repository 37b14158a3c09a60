import type { Emitter } from "./emitter.ts";
import type { Val } from "./tensor.ts";

/** What one turn makes of the value so far; `turn` counts from 0, an int64 scalar. */
export type Turn = (inner: Emitter, turn: Val, soFar: Val) => Val;

/** What one turn makes of the values so far. */
interface TurnResult {
  readonly values: readonly Val[];
  /** A bool scalar that ends the loop after this turn. */
  readonly until?: Val;
  /** What of this turn is kept, one under the other along a new first dimension. */
  readonly collected?: readonly Val[];
}

export type Turns = (inner: Emitter, turn: Val, soFar: readonly Val[]) => readonly Val[] | TurnResult;

/** A value that `step` changes `count` times (an int64 scalar); the size stays. Steps see all values around the loop. */
export function countedLoop(
  g: Emitter,
  { count, initial }: { readonly count: Val; readonly initial: Val },
  step: Turn,
): Val {
  return countedLoops(g, { count, initial: [initial] }, (inner, turn, [soFar]) => [
    step(inner, turn, soFar!),
  ])[0]!;
}

/** The same for several values; behind them is what was collected. */
export function countedLoops(
  g: Emitter,
  { count, initial }: { readonly count: Val; readonly initial: readonly Val[] },
  step: Turns,
): Val[] {
  const inner = g.child();
  const name = (wish: string): string => inner.builder.unique(`${g.scope}/${wish}`);
  const turn: Val = { name: name("turn"), dtype: "int64" };
  const goesOn: Val = { name: name("goes_on"), dtype: "bool" };
  const soFar = initial.map(({ dtype }): Val => ({ name: name("so_far"), dtype }));
  const made = step(inner, turn, soFar);
  const {
    values,
    until,
    collected = [],
  }: TurnResult = Array.isArray(made) ? { values: made as readonly Val[] } : (made as TurnResult);
  const again = until === undefined ? goesOn : inner.op("Not", [until]);
  // Results of a body must be values of that body.
  const results = [again, ...values, ...collected].map((val) => inner.op("Identity", [val]));
  const graph = inner.builder.finish(
    `${g.scope}/body`,
    [turn, goesOn, ...soFar].map((val, i) => ({ ...val, dims: i < 2 ? [] : undefined })),
    results.map((val, i) => ({ ...val, dims: i < 1 ? [] : undefined })),
    false,
  );
  const attributes = { body: { graph } };
  return g.subgraphOp("Loop", [count, undefined, ...initial], {
    attributes,
    dtypes: [...initial, ...collected].map(({ dtype }) => dtype),
  });
}
