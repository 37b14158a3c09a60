import { ServeError } from "../base/errors.ts";

/** A key is remembered per queue and hashed per request, so it must not be a place to put megabytes. */
const MAX_TENANT_CHARS = 256;
const HEADER_NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/**
 * The header that names whose request it is, in lower case, as REST headers and gRPC metadata have it. Throws `invalid_argument` for a
 * text that cannot be a header's name.
 */
export function tenantHeaderName(text: string): string {
  return headerName(text, { option: "--tenant-header", example: "x-tenant" });
}

/** The same of the header that tells which version of a rollout a request goes to. */
export function rolloutHeaderName(text: string): string {
  return headerName(text, { option: "--rollout-header", example: "x-rollout" });
}

function headerName(
  text: string,
  { option, example }: { readonly option: string; readonly example: string },
): string {
  const name = text.toLowerCase();
  if (HEADER_NAME.test(name) && !name.endsWith("-bin")) return name;
  throw new ServeError(
    "invalid_argument",
    `${option}: expected the name of an HTTP header, such as ${example}`,
    { reason: "bad_option" },
  );
}

/** What the header of a rollout says; what is longer than a key may be counts up to there. */
export function routeKeyOf(value: string | undefined): string | undefined {
  return value === undefined || value.length <= MAX_TENANT_CHARS ? value : value.slice(0, MAX_TENANT_CHARS);
}

/** Checks what such a header says; undefined: nobody in particular. Throws `invalid_argument`. */
export function checkTenant(value: string | undefined): string | undefined {
  if (value === undefined || value.length <= MAX_TENANT_CHARS) return value;
  throw new ServeError(
    "invalid_argument",
    `the header that names the tenant is longer than ${MAX_TENANT_CHARS} characters`,
    { reason: "tenant_too_long" },
  );
}
