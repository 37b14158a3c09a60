import type { Attack } from "./attack.ts";
import { bombs } from "./attacks/bombs.ts";
import { browserRpc } from "./attacks/browser-rpc.ts";
import { closedDoors } from "./attacks/closed-doors.ts";
import { cutBodies } from "./attacks/cut-bodies.ts";
import { files } from "./attacks/files.ts";
import { forgedKeys } from "./attacks/forged-keys.ts";
import { http2Floods } from "./attacks/http2-floods.ts";
import { http2Rest } from "./attacks/http2-rest.ts";
import { longTokens } from "./attacks/long-tokens.ts";
import { noise } from "./attacks/noise.ts";
import { observers } from "./attacks/observers.ts";
import { pipelining } from "./attacks/pipelining.ts";
import { signals } from "./attacks/signals.ts";
import { slowClients } from "./attacks/slow-clients.ts";
import { smuggling } from "./attacks/smuggling.ts";
import { tls } from "./attacks/tls.ts";
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
  ...http2Rest,
  ...browserRpc,
  ...cutBodies,
  ...slowClients,
  ...pipelining,
  ...observers,
  ...signals,
  ...files,
  ...noise,
];

/** What only a server with TLS and keys can be attacked with. */
export const GUARDED_ATTACKS: readonly Attack[] = [...closedDoors, ...forgedKeys, ...tls];
