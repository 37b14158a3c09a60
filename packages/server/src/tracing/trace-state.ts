/** W3C Trace Context, §3.3: as much has to be passed on. */
const LONGEST = 512;
const MOST_MEMBERS = 32;
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** The header `tracestate` as a span keeps it; "" for one that is not as the specification has it. */
export function readTraceState(header: string | undefined): string {
  if (header === undefined || header.length > LONGEST) return "";
  const members = header.split(",").map((member) => member.trim());
  const given = members.filter((member) => member !== "");
  if (given.length > MOST_MEMBERS) return "";
  const keys = new Set<string>();
  for (const member of given) {
    const at = member.indexOf("=");
    const key = member.slice(0, at);
    if (at < 0 || keys.has(key) || !KEY.test(key) || !VALUE.test(member.slice(at + 1))) return "";
    keys.add(key);
  }
  return given.join(",");
}
