import type { Attack } from "./attack.ts";
import { bombs } from "./attacks/bombs.ts";
import { files } from "./attacks/files.ts";
import { http2Floods } from "./attacks/http2-floods.ts";
import { longTokens } from "./attacks/long-tokens.ts";
import { noise } from "./attacks/noise.ts";
import { pipelining } from "./attacks/pipelining.ts";
import { signals } from "./attacks/signals.ts";
import { slowClients } from "./attacks/slow-clients.ts";
import { smuggling } from "./attacks/smuggling.ts";
import { webPages } from "./attacks/web-pages.ts";
import { webSockets } from "./attacks/web-sockets.ts";

/** Every attack there is, by group. A new one is a row in its group's table. */
export const ATTACKS: readonly Attack[] = [
  ...smuggling,
  ...webPages,
  ...webSockets,
  ...longTokens,
  ...bombs,
  ...http2Floods,
  ...slowClients,
  ...pipelining,
  ...signals,
  ...files,
  ...noise,
];
