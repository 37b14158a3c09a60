import type { Random } from "@sconce/conformance/internals/random";

/** Requests per second in each second of a day. */
export type LoadShape = Float64Array;

export const DAY_S = 86_400;
/** Of the peak, at night. */
const NIGHT = 0.2;
const PEAK_HOUR = 15;
/** Relative noise of a second, and how much of it the next one keeps. */
const NOISE = 0.03;
const MEMORY = 0.98;
const SPIKES = 12;
const SPIKE_RISE_S = 20;
const HERD_S = [10 * 3600, 18 * 3600] as const;
const HERD_QUIET_S = 1800;
const HERD_HALF_LIFE_S = 600;

/** A slow wave between night and afternoon, with noise that lasts for some minutes. */
export function dailyLoad(peakPerSecond: number, random: Random): LoadShape {
  const load = new Float64Array(DAY_S);
  let noise = 0;
  for (let second = 0; second < DAY_S; second++) {
    const phase = ((second / 3600 - PEAK_HOUR) / 24) * 2 * Math.PI;
    const wave = NIGHT + (1 - NIGHT) * 0.5 * (1 + Math.cos(phase));
    noise = MEMORY * noise + Math.sqrt(1 - MEMORY ** 2) * NOISE * gaussian(random);
    load[second] = Math.max(0, peakPerSecond * wave * (1 + noise));
  }
  return load;
}

/** The same at half height, and twelve times up to the peak within 20 seconds, for one to ten minutes. */
export function spikyLoad(peakPerSecond: number, random: Random): LoadShape {
  const load = dailyLoad(peakPerSecond / 2, random);
  for (let spike = 0; spike < SPIKES; spike++) {
    const from = random.integer(0, DAY_S - 1);
    const lastsS = random.integer(60, 600);
    const height = peakPerSecond * (0.7 + 0.3 * random.next());
    for (let at = 0; at < lastsS && from + at < DAY_S; at++) {
      load[from + at] = Math.max(load[from + at]!, height * Math.min(1, (at + 1) / SPIKE_RISE_S));
    }
  }
  return load;
}

/**
 * A fifth of the peak, twice a day nothing for half an hour (the clients' network is down, or what they come through), then all at once, from one second
 * to the next; half of the rush is over after ten minutes.
 */
export function herdLoad(peakPerSecond: number, random: Random): LoadShape {
  const base = peakPerSecond * NIGHT;
  const load = dailyLoad(base, random);
  for (const begin of HERD_S) {
    load.fill(0, begin - HERD_QUIET_S, begin);
    for (let second = begin; second < DAY_S; second++) {
      const rush = (peakPerSecond - base) * 2 ** (-(second - begin) / HERD_HALF_LIFE_S);
      if (rush < base / 100) break;
      load[second] = load[second]! + rush;
    }
  }
  return load;
}

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
