// Sounds as libFLAC and LAME wrote them, with what they were made of beside.

/** 24 bits, two channels that are nearly the same: `walk()`. */
export const WALK_FLAC: string =
  "ZkxhQ4AAACIQABAAAANTAANTCsRDcAAAASwCDHboSSmO0C7vTa9M8h53//h5jAABK8wTIAHGA0zA2H7RrDKWNAlniEwTCriATFUL4guQdDjjvCpDiQCSvxIxE94ZVhyNoB5e4pzEVZkodym9qhSIC54PrI91FlYRE2nt4tpPUsvTOw1h6VcdVR/QlMiNVx5lbpJPaEQINPIcZ65nIcYhy9uwacY0vlyaMM27hFR9k/CGTx3H7zCHkbLLy8BZ++ZWaRL+Nxp5m3HLcMlITkvLGS/xCpqD0lH2d+yCRGPDadTWHPqtIHcUMBIkRzamG80TqmMSskC8yN1twsnq2enRAGFWCeFbSVLYQn88CZuYFraPWR/+44ZCsHjIJRAdMXWPitn7nVqkY6PGxOPdVxEJ1xpUdCvTmCzjvIRcY9XpgPPiXRLLh9BfRMpLNxCbj4Hk4+dppPHNgK3JaLwnmRs9WkT2A0OkaUUDRfysqlvMrxpqB4XmnCxg7jPDQjF+0zWLPp188jbZHREIq/83SxyZJtlEh/hgTHpsM+vxn23ADUxP0Q1xjhKEqBwhVMRp4p6phiPHUSV5hPF4HnRpe021jzXeYJlPykv1bCeQWiXpmjBCPygHbY7nro5PzlqZulO6tXYWrBT7CNAEesLpEs8hQkJOQ1uWW2at7b/N4qlMG1iVeo6kUij+MSkFeQcVJljDd3HK3+Z+4w6x0DMKkpAGurzqrHbpxzCM/J0Uslj7iefg8g3qlpzo1ErzTEdFjyIms3QynKGtWVM3Kxx3kq6YmfqErCeuobZ35uYZbMtGRCdkI9UxFCDVAQHQ0okMUNftMInUSJNstdRL//+oArwrJIUc28qBRWanDU2LZmCtey4l6S5Z4lHrE4vzRfqYFEtrt8hgQPM7YO5HZocjhCh8Ww5JSiaJf5iuMRUJ7yb4rOELtJYgpXppVAp2x8QURkZAU2DD9W+qW7s0zQltiONmKHhi01IIBLpnEOMf3PX2KzQQn1+RK+heoS5CsgR1bQoFet6Z7UmQVlImTy1/wESXTbejxqkp+S+foq1fUtFFfjuJFMji42tSfy0upIRumtrNnpkJ5ybnM4Fde1ir5++jdwymXJukYTvypMhe2EBqiv90oMjsuXuC/U0JVTpOruVeo6kyJf7KWEZoay/Y/2OpSOyg2dwZL235IJxc2T4=";
/** 16 bits, one channel: `arcs()`. */
export const ARCS_FLAC: string =
  "ZkxhQ4AAACIQABAAAAEwAAEwAfQA8AAAAfR01DQmqqjzWzGof/VNdNrw//h0CAAB81cXOx7cDviAKSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSQAAAAAAAAAAAAAAAAIAAAAAAAAAAAAAAAAPJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJIAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAHkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkAAAAAAAAAAAAAAAACAAAAAAAAAAAAAAAADySSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAB5JJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJIAnlA==";
/** 4800 samples of a tone of 500 Hz and half the full level, at 16 kHz and 16 kbit a second. */
export const TONE_MP3: string =
  "//MoxAAKWFLxv0MIAqpAZLv//wA7u7u56Imie4AAAg6XB8Hw/wQ4Pv7qPP8p4f5R3D/Ke/o96oJABNwZG8G0gwL4AQEBb7CP//MoxBERUPakC5SoALhH2BrgHgYOAIWQgxYYMWGMcLKFbEz/kFICZF4mv/MS6TJkXi9+sFREFf4KiIKgqz/LHgVq///9VpuQ//MoxAYOsHpMAd5gALwtMLZGAKAsAgIzAwA9MGoOcxehzTFo59OZ43EzIB9TDEAzMA4BYwUQRA4CZgYGAFcUlAe+fhH4pBka//MoxAYEWE4gAAguDPf//I///Z/////9NX4R+KQZGvf//I///Z/////9Kn4R+KQZGvf//I///Z/////9NX4R+KQZGvf//I////MoxC8EWE4gAAguDP2f/////Sp+EfikGRr3//yP//2f/////TWAAD25JJMMMP/8MJRYp2typeBgEAGJCmASCiYbopJh6vIm//MoxFgEWE4gAAguDG9COiEKIwiAQDAiAaBgAYKAPTHhqQCET/icH+CBxVYf9BQ4JwfeD8EDhQ4sH4PxAcEhyH4f7f9H//2///MoxIEEWE4gAAguDOlUigi0Uhf91FAwQBoTv8CgYBkzBQJSX+BoQZgMBcUuAKFAMKgQG1uMwOYVC+KREoiFSHeX3UhHOHOJ//MoxKoEWE4gAAguDJIqRX/5kXi8Yl0u/tvskkZCUJem5INCUJA1+5NyQVVMQU1FNC4wVVVVVVVVVVVVVVVVVVVVVVVVVVVV//MoxNMXgHZhn14wAlVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV//MoxLAWIUqgAZuoAFVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV//MoxJIAAANIAcAAAFVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV";

/** Both channels, as whole numbers of 24 bits. */
export function walk(): readonly (readonly [left: number, right: number])[] {
  const [steps, apart] = [words(300, 1), words(300, 7)];
  let left = 0;
  return steps.map((step, i) => {
    left += step - 16_384;
    return [left * 8, left * 8 + (apart[i]! % 64)];
  });
}

/** As whole numbers of 16 bits. */
export function arcs(): readonly number[] {
  return Array.from({ length: 500 }, (_, i) => (i % 100) * (100 - (i % 100)) * 8 - 10_000);
}

/** Whole numbers of 15 bits. */
function words(count: number, seed: number): readonly number[] {
  let state = BigInt(seed);
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245n + 12_345n) % 2n ** 31n;
    return Number(state >> 16n);
  });
}
