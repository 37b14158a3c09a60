/** A source of integers below `below`, repeatable by its seed (mulberry32). */
export type Random = (below: number) => number;

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const INTERESTING = [0, 1, 2, 4, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const MAX_BYTES = 64 * 1024;

/** One to four changes of bytes; `other` is a file to splice with. */
export function mutateBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let changes = 1 + random(4); changes > 0; changes -= 1) result = changeBytes(result, other, random);
  return result.subarray(0, MAX_BYTES);
}

function changeBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length + 1);
  const length = Math.min(1 + random(16), bytes.length - at);
  switch (random(7)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random(256);
      return bytes;
    case 2: {
      const width = [1, 2, 4, 8][random(4)]!;
      if (at + width > bytes.length) return bytes;
      const value = INTERESTING[random(INTERESTING.length)]!;
      for (let i = 0; i < width; i += 1)
        bytes[at + i] = i < 4 ? (value >>> (8 * i)) & 0xff : random(2) * 0xff;
      return bytes;
    }
    case 3:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
    case 5: {
      const from = random(other.length + 1);
      return joined(
        bytes.subarray(0, at),
        other.subarray(from, from + 1 + random(64)),
        bytes.subarray(at + length),
      );
    }
    default:
      return bytes.subarray(0, at);
  }
}

/** Changes of a text by whole lines and words, so that it stays near the grammar. */
export function mutateText(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (random(4) === 0) return mutateBytes(bytes, other, random);
  const split = (text: Uint8Array): string[] =>
    new TextDecoder().decode(text).match(/\w+|\s+|[^\w\s]/g) ?? [];
  const [words, foreign] = [split(bytes), split(other)];
  for (let changes = 1 + random(4); changes > 0; changes -= 1) {
    const at = random(words.length + 1);
    const pool = random(2) === 0 ? words : foreign;
    const word = pool[random(pool.length)] ?? "0";
    const number = String(INTERESTING[random(INTERESTING.length)]);
    const choice = random(5);
    if (choice === 0) words.splice(at, 1 + random(4));
    else if (choice === 1) words.splice(at, 0, word);
    else if (choice === 2) words.splice(at, 1, word);
    else if (choice === 3) words.splice(at, 1, number);
    else words.splice(at, 0, ...words.slice(at, at + 1 + random(20)));
  }
  return new TextEncoder().encode(words.join("")).subarray(0, MAX_BYTES);
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes of the tree: values replaced, moved, repeated, removed. */
export function mutateJson(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  if (random(8) === 0) return mutateBytes(bytes, other, random);
  let root: Json;
  try {
    root = JSON.parse(new TextDecoder().decode(bytes)) as Json;
  } catch {
    return mutateBytes(bytes, other, random); // an input of the pool may be no JSON any more
  }
  const places = containers(root);
  for (let changes = 1 + random(3); changes > 0 && places.length > 0; changes -= 1) {
    changeMember(places[random(places.length)]!, places, random);
  }
  return new TextEncoder().encode(JSON.stringify(root)).subarray(0, MAX_BYTES);
}

type Container = Json[] | { [key: string]: Json };

function containers(root: Json): Container[] {
  const found: Container[] = [];
  const open: Json[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null) continue;
    const children = Object.values(value);
    if (children.length > 0) found.push(value);
    open.push(...children);
  }
  return found;
}

function changeMember(place: Container, places: readonly Container[], random: Random): void {
  const keys = Object.keys(place);
  const key = keys[random(keys.length)];
  if (key === undefined) return;
  const donor = places[random(places.length)]!;
  const members = Object.values(donor);
  // A copy: a tree that contains itself cannot be written.
  const foreign = structuredClone(members[random(members.length)] ?? null);
  const value = [null, true, "", "x", 0, -1, 1e9, 2 ** 53, -(2 ** 31), 0.5, [], {}, foreign, foreign][
    random(14)
  ] as Json;
  const choice = random(4);
  if (Array.isArray(place)) {
    if (choice === 0) place.splice(Number(key), 1);
    else if (choice === 1) place.push(structuredClone(place[Number(key)]!));
    else place[Number(key)] = value;
  } else if (choice === 0) delete place[key];
  else if (choice === 1) place[String(keys[random(keys.length)])] = foreign;
  else place[key] = value;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
