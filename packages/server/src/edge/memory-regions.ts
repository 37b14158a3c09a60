import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { MAX_REGION_NAME, type RegionPlace } from "@sconce/protocol";
import { ServeError } from "../base/errors.ts";
import { MAX_REGIONS, noSuchRegion } from "./shared-memory.ts";
import type { Steps } from "./time-slicer.ts";

/** A part of a shared memory file that clients use by name. */
export interface MemoryRegion {
  readonly name: string;
  /** As shm_open takes it: the file's name, with a slash before it or without. */
  readonly key: string;
  readonly offset: bigint;
  readonly byteSize: bigint;
}

/** Shared memory that clients on this machine have registered (Triton's system shared memory). */
export interface MemoryRegions {
  /** Throws `invalid_argument`/`bad_region` for what is no such file, `already_exists` for a name that is taken, `resource_exhausted`. */
  register(region: MemoryRegion): void;
  /** Forgets a region, or with "" every one. What is not there is fine. A request that uses it meanwhile fails. */
  unregister(name: string): void;
  /** The region of this name, or with "" all. Throws `not_found`/`no_such_region`. */
  status(name: string): readonly MemoryRegion[];
  /** Reads a place into `into`, as long as it is. Throws `not_found`, `invalid_argument`/`bad_region`, in the steps as well. */
  reading(place: RegionPlace, into: Uint8Array): Steps;
  /** Writes bytes to the beginning of a place. Throws like `reading`. */
  writing(place: RegionPlace, bytes: Uint8Array): Steps;
}

/** Where POSIX shared memory lies on Linux. */
const FOLDER = "/dev/shm";
/** One name in that folder. */
const KEY = /^\/?(?!\.{1,2}$)([^/\0]{1,255})$/;
/** How many bytes are copied in the time in which one byte of text is read. */
const COPY_SPEED = 32;
/** Pipes are not waited for, and links not followed. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface MemoryRegionsOptions {
  /** Default: where the system keeps shared memory. */
  readonly folder?: string;
  /** Each holds descriptors, which connections and models need as well. Default: 1,024. */
  readonly maxRegions?: number;
}

/**
 * Makes an empty registry. Files are read and written by system calls and never mapped: a client that shortens its file gets an error, where a mapped one
 * would end this process.
 */
export function createMemoryRegions({
  folder = FOLDER,
  maxRegions = MAX_REGIONS,
}: MemoryRegionsOptions = {}): MemoryRegions {
  const regions = new Map<string, OpenRegion>();
  const find = (name: string): OpenRegion => {
    const region = regions.get(name);
    if (region === undefined) throw noSuchRegion("system", name);
    return region;
  };
  return {
    register(region) {
      const { name } = region;
      if (name === "" || name.length > MAX_REGION_NAME)
        throw badRegion(`a region's name has 1 to ${MAX_REGION_NAME} characters`);
      if (regions.has(name)) {
        throw new ServeError(
          "already_exists",
          `there is a shared memory region ${JSON.stringify(name)} already; unregister it first`,
          { reason: "region_exists" },
        );
      }
      if (regions.size >= maxRegions) {
        throw new ServeError("resource_exhausted", `there are ${maxRegions} shared memory regions already`, {
          reason: "too_many_regions",
        });
      }
      regions.set(name, new OpenRegion(region, folder));
    },
    unregister(name) {
      for (const region of name === "" ? [...regions.values()] : [regions.get(name)]) {
        if (region === undefined) continue;
        regions.delete(region.about.name);
        region.close();
      }
    },
    status: (name) => (name === "" ? [...regions.values()] : [find(name)]).map(({ about }) => about),
    reading: (place, into) => find(place.region).reading(place, into),
    writing: (place, bytes) => find(place.region).writing(place, bytes),
  };
}

class OpenRegion {
  readonly about: MemoryRegion;
  /** For reading; undefined: it was unregistered. */
  #fd: number | undefined;
  /** Of the same file, once something was to be written. */
  #writableFd: number | undefined;

  constructor(about: MemoryRegion, folder: string) {
    const { key, offset, byteSize } = about;
    const name = KEY.exec(key)?.[1];
    if (name === undefined)
      throw badRegion("key: expected the name of a file in /dev/shm, such as /input_data");
    if (byteSize === 0n) throw badRegion("byte_size: expected 1 or more");
    this.about = about;
    const fd = opening(key, () => openSync(`${folder}/${name}`, FLAGS));
    this.#fd = fd;
    try {
      const file = fstatSync(fd, { bigint: true });
      if (!file.isFile()) throw badRegion(`${JSON.stringify(key)} is not a shared memory file`);
      if (offset + byteSize > file.size) {
        throw badRegion(
          `${JSON.stringify(key)} has ${file.size} bytes; ${byteSize} at ${offset} are not all in it`,
        );
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    if (this.#writableFd !== undefined) closeSync(this.#writableFd);
    this.#fd = this.#writableFd = undefined;
  }

  reading(place: RegionPlace, into: Uint8Array): Steps {
    const start = this.#start(place, BigInt(into.length));
    let done = 0;
    return {
      step: (amount) => {
        const fd = this.#open();
        const count = Math.min(amount * COPY_SPEED, into.length - done);
        const read = count === 0 ? 0 : readSync(fd, into, done, count, start + BigInt(done));
        if (read < count) throw this.#shortened();
        done += count;
        return done === into.length;
      },
    };
  }

  writing(place: RegionPlace, bytes: Uint8Array): Steps {
    const start = this.#start(place, BigInt(bytes.length));
    let done = 0;
    return {
      step: (amount) => {
        const fd = this.#writable(this.#open());
        // To write behind the end of a file would make it longer.
        if (fstatSync(fd, { bigint: true }).size < start + BigInt(bytes.length)) throw this.#shortened();
        const count = Math.min(amount * COPY_SPEED, bytes.length - done);
        // Positions are below the file's size, which a number holds.
        if (count > 0)
          done += opening(this.about.key, () => writeSync(fd, bytes, done, count, Number(start) + done));
        return done === bytes.length;
      },
    };
  }

  /** Where a place begins in the file. */
  #start({ offset, byteSize }: RegionPlace, used: bigint): bigint {
    const { name, offset: base, byteSize: size } = this.about;
    if (offset + byteSize > size || used > byteSize) {
      throw badRegion(
        `the region ${JSON.stringify(name)} has ${size} bytes; ${byteSize} at ${offset} are not all in it`,
      );
    }
    return base + offset;
  }

  #open(): number {
    if (this.#fd === undefined) throw noSuchRegion("system", this.about.name);
    return this.#fd;
  }

  /** The same file, whatever has its name now. */
  #writable(fd: number): number {
    this.#writableFd ??= opening(this.about.key, () => openSync(`/proc/self/fd/${fd}`, constants.O_RDWR));
    return this.#writableFd;
  }

  #shortened(): ServeError {
    return badRegion(`the file of the region ${JSON.stringify(this.about.name)} was made shorter`);
  }
}

function opening(key: string, work: () => number): number {
  try {
    return work();
  } catch (cause) {
    const { code = "unknown error" } = cause as NodeJS.ErrnoException;
    throw badRegion(
      `the shared memory file ${JSON.stringify(key.slice(0, 256))} cannot be used: ${code}`,
      cause,
    );
  }
}

function badRegion(message: string, cause?: unknown): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_region", cause });
}
