import type { Wishes } from "./registration-settings.ts";

const MAX_PAGE = 100;

/** What `limit` and `next_page_token` ask for of names in order, and the token of the next page where there is one. */
export function pageOf(
  wishes: Wishes,
  all: readonly string[],
): { readonly names: readonly string[]; readonly next: { readonly nextPageToken?: string } } {
  const limit = whole(wishes.get("limit"), MAX_PAGE, { most: MAX_PAGE });
  const from = whole(wishes.get("next_page_token"), 0, { most: Number.MAX_SAFE_INTEGER });
  const last = from + limit;
  return {
    names: all.slice(from, last),
    next: { ...(last <= all.length && { nextPageToken: String(last) }) },
  };
}

/** A count from 0 on; what is none, or more than the most, is the fallback, as for TorchServe. */
function whole(text: string | undefined, fallback: number, { most }: { readonly most: number }): number {
  return text !== undefined && /^[0-9]{1,9}$/.test(text) && Number(text) <= most ? Number(text) : fallback;
}
