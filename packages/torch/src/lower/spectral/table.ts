import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { FFT } from "./fft.ts";
import { FFT_SHIFT } from "./fft-shift.ts";
import { FREQUENCIES } from "./frequencies.ts";
import { STFT } from "./stft.ts";
import { WINDOWS } from "./windows.ts";

/** Fourier transforms, and the windows that they are used with. */
export const SPECTRAL: LoweringTable = mergeTables([FFT_SHIFT, FFT, FREQUENCIES, STFT, WINDOWS]);
