import { agree } from "./agreement.ts";
import { type Addresses, ask } from "./ask.ts";
import type { Recorded, RecordedAnswer, RecordedCall } from "./recorded-call.ts";

export interface Difference {
  readonly call: string;
  readonly actual: readonly RecordedAnswer[];
  readonly expected: readonly RecordedAnswer[];
}

/** Asks a server the recorded calls in turn: those that it answers in another way. */
export async function differences(
  calls: readonly RecordedCall[],
  recorded: readonly Recorded[],
  addresses: Addresses,
): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  for (const [index, call] of calls.entries()) {
    const { call: name, answers: expected } = recorded[index]!;
    if (name !== call.name)
      throw new Error(`the recording has ${name} where ${call.name} is asked: record again`);
    const actual = await ask(call, addresses);
    if (!agree(actual, expected, call.closeness)) found.push({ call: name, actual, expected });
  }
  return found;
}
