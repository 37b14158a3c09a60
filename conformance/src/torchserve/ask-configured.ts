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
    const keys = JSON.parse(readFileSync(keyFile, "utf8")) as KeyFile;
    const key = call.token === "wrong" ? "not-a-key" : keys[call.token]?.key;
    const headers = { ...call.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
    recorded.push({ call: call.name, answers: await ask({ ...call, headers }, addresses) });
  }
  return recorded;
}
