import { type LoadResult, medianRun } from "./load-result.ts";

/** Measures servers in turn, so that what else the machine does spoils all of them alike; the median round of each. */
export async function takeTurns(
  urls: Readonly<Record<string, string>>,
  { rounds, measure }: { readonly rounds: number; measure(url: string, round: number): Promise<LoadResult> },
): Promise<Record<string, LoadResult>> {
  const runs = new Map<string, LoadResult[]>(Object.keys(urls).map((name) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, url] of Object.entries(urls)) {
      const run = await measure(url, round);
      if (round > 0) runs.get(name)!.push(run);
    }
  }
  return Object.fromEntries([...runs].map(([name, results]) => [name, medianRun(results)]));
}
