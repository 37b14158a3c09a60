import { ServeError } from "../base/errors.ts";

/** A key is remembered per queue and hashed per request, so it must not be a place to put megabytes. */
const MAX_TENANT_CHARS = 256;
const HEADER_NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/**
 * The header that names whose request it is, in lower case, as REST headers and gRPC metadata have it. Throws `invalid_argument` for a
 * text that cannot be a header's name.
 */
export function tenantHeaderName(option: string): string {
  const name = option.toLowerCase();
  if (HEADER_NAME.test(name) && !name.endsWith("-bin")) return name;
  throw new ServeError(
    "invalid_argument",
    "--tenant-header: expected the name of an HTTP header, such as x-tenant",
    { reason: "bad_option" },
  );
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
