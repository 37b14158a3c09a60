import assert from "node:assert/strict";
import type { RestCall } from "./call/rest-call.ts";
import type { Route } from "./call/route.ts";

/** What a page gets from one of these routes, which everybody may ask. */
export interface SentPage {
  readonly type: string;
  readonly text: string;
  readonly headers: readonly string[];
}

/** Asks the route of this URL pattern, which has to be open: who is asked for a key can enter it on the page. */
export async function getPage(
  routes: readonly Route[],
  url: string,
  params: Readonly<Record<string, string>> = {},
): Promise<SentPage> {
  const sent: SentPage[] = [];
  const call = {
    request: { headers: {} },
    sendKept({ type, body, headers }: { type: string; body: Buffer; headers: string[] }) {
      sent.push({ type, text: body.toString(), headers });
    },
  } as unknown as RestCall; // what the route uses of it
  const route = routes.find(({ urls }) => urls.includes(url));
  assert.ok(route !== undefined, `no route ${url}`);
  assert.equal(route.needs, "nothing", "who is asked for a key can enter it there");
  await route.run(call, params);
  return sent[0]!;
}
