import type { Procedure } from "./procedure.ts";
import { overload } from "./procedures/f01-overload.ts";
import { recovery } from "./procedures/f02-recovery.ts";
import { deadWork } from "./procedures/f03-dead-work.ts";
import { fairness } from "./procedures/f04-fairness.ts";
import { killLoop } from "./procedures/f05-kill.ts";
import { crashLoop } from "./procedures/f06-crash-loop.ts";
import { poison } from "./procedures/f07-poison.ts";
import { hang } from "./procedures/f08-hang.ts";
import { memory } from "./procedures/f09-memory.ts";
import { slow } from "./procedures/f10-slow.ts";
import { halfOpen } from "./procedures/f11-half-open.ts";
import { disk } from "./procedures/f12-disk.ts";
import { corrupt } from "./procedures/f13-corrupt.ts";
import { reload } from "./procedures/f14-reload.ts";
import { storm } from "./procedures/f15-storm.ts";
import { sigterm } from "./procedures/f16-sigterm.ts";
import { stall } from "./procedures/f17-stall.ts";
import { clock } from "./procedures/f18-clock.ts";
import { cacheStore } from "./procedures/f19-cache-store.ts";
import { fileDescriptors } from "./procedures/f20-file-descriptors.ts";
import { mixture } from "./procedures/f22-mixture.ts";
import { hostile } from "./procedures/f23-hostile.ts";
import { streams } from "./procedures/f24-streams.ts";
import { machines } from "./procedures/f25-machines.ts";

export const PROCEDURES: readonly Procedure[] = [
  overload,
  recovery,
  deadWork,
  fairness,
  killLoop,
  crashLoop,
  poison,
  hang,
  memory,
  slow,
  halfOpen,
  disk,
  corrupt,
  reload,
  storm,
  sigterm,
  stall,
  clock,
  cacheStore,
  fileDescriptors,
  mixture,
  hostile,
  streams,
  machines,
];
