import { readFileSync } from "node:fs";
import { type Addresses, ask } from "./ask.ts";
import type { ConfiguredCall } from "./configured-calls.ts";
import type { Recorded } from "./recorded-call.ts";

type KeyFile = Readonly<Record<string, { readonly key: string }>>;

/** Asks each call in turn, with the token that its file holds then. */
export async function askConfigured(
  calls: readonly ConfiguredCall[],
  { addresses, keyFile }: { readonly addresses: Addresses; readonly keyFile: string },
): Promise<readonly Recorded[]> {
  const recorded: Recorded[] = [];
  for (const call of calls) {
    const key = call.token === "wrong" ? "not-a-key" : keyOf(keyFile, call.token);
    const headers = { ...call.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
    recorded.push({ call: call.name, answers: await ask({ ...call, headers }, addresses) });
  }
  return recorded;
}

/** One of the tokens in a key_file.json; undefined: there is none of that name. */
export function keyOf(keyFile: string, name: string): string | undefined {
  return (JSON.parse(readFileSync(keyFile, "utf8")) as KeyFile)[name]?.key;
}
