import { CALL_NUMBERS, type CallNumbers, NEWEST_CALL } from "./refused-calls.ts";

/** Codes of classic BPF, as linux/bpf_common.h has them. */
const CODES = { load: 0x20, equal: 0x15, above: 0x25, anyBit: 0x45, return: 0x06 } as const;
/** Places in `struct seccomp_data`. Of an argument the low half: families and flags have no other. */
const PLACES = { number: 0, architecture: 4, firstArgument: 16 } as const;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];
const AF_UNIX = 1;
/** `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID` and `NEWNET`. */
const NEW_NAMESPACES = 0x7e020000;
const INSTRUCTION_BYTES = 8;

/** What ends a program: its label, and what the kernel does then. */
const ENDS = {
  allow: ALLOW,
  unknown: ERRNO | ENOSYS,
  forbidden: ERRNO | EPERM,
  noFamily: ERRNO | EAFNOSUPPORT,
  kill: KILL_PROCESS,
} as const;

/** A label, or the next instruction where it is undefined. */
type Target = keyof typeof ENDS | "flags" | "family" | undefined;

interface Instruction {
  readonly label?: Target;
  readonly code: number;
  readonly k: number;
  readonly whenTrue?: Target;
  readonly whenFalse?: Target;
}

/**
 * The filter of system calls of workers, as bytes of classic BPF that `seccomp` takes: calls that no worker needs do not exist for it (`ENOSYS`), nor do sockets but those of files and pairs (`EAFNOSUPPORT`),
 * nor new namespaces (`EPERM`); a call of another processor's kind ends the process. Undefined: its numbers for this processor are not known.
 */
export function callFilter(arch: string = process.arch): Uint8Array | undefined {
  const numbers = CALL_NUMBERS[arch];
  return numbers === undefined ? undefined : assemble(filterOf(numbers));
}

function filterOf({ architecture, clone, socket, socketpair, refused }: CallNumbers): readonly Instruction[] {
  const ends = Object.entries(ENDS) as readonly (readonly [keyof typeof ENDS, number])[];
  return [
    { code: CODES.load, k: PLACES.architecture },
    { code: CODES.equal, k: architecture, whenFalse: "kill" },
    { code: CODES.load, k: PLACES.number },
    // The calls of x32 among them, whose numbers begin far above.
    { code: CODES.above, k: NEWEST_CALL, whenTrue: "unknown" },
    { code: CODES.equal, k: clone, whenTrue: "flags" },
    { code: CODES.equal, k: socket, whenTrue: "family" },
    { code: CODES.equal, k: socketpair, whenTrue: "family" },
    ...Object.values(refused).map((k) => ({ code: CODES.equal, k, whenTrue: "unknown" }) as const),
    { code: CODES.return, k: ALLOW },
    { label: "flags", code: CODES.load, k: PLACES.firstArgument },
    { code: CODES.anyBit, k: NEW_NAMESPACES, whenTrue: "forbidden", whenFalse: "allow" },
    { label: "family", code: CODES.load, k: PLACES.firstArgument },
    { code: CODES.equal, k: AF_UNIX, whenTrue: "allow", whenFalse: "noFamily" },
    ...ends.map(([label, k]) => ({ label, code: CODES.return, k })),
  ];
}

/** A jump leads at most 255 instructions ahead; a longer program would throw RangeError here. */
function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES);
  const distance = (from: number, target: Target): number =>
    target === undefined ? 0 : program.findIndex(({ label }) => label === target) - from - 1;
  program.forEach(({ code, k, whenTrue, whenFalse }, i) => {
    const at = i * INSTRUCTION_BYTES;
    // The kernel reads them in its own order of bytes, which is this one on all processors here.
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(distance(i, whenTrue), at + 2);
    bytes.writeUInt8(distance(i, whenFalse), at + 3);
    bytes.writeUInt32LE(k >>> 0, at + 4);
  });
  return bytes;
}
