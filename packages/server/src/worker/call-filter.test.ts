// Tests the filter of system calls by running it as the kernel would, for every call of both processors.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { callFilter } from "./call-filter.ts";
import { CALL_NUMBERS, NEWEST_CALL } from "./refused-calls.ts";

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (error: number): number => 0x00050000 + error;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];

interface Call {
  readonly number: number;
  readonly architecture: number;
  readonly argument: number;
}

/** What the kernel's interpreter of classic BPF returns; throws for a program that it would not take. */
function verdict(program: Uint8Array, call: Call): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const fields = new Map([
    [0, call.number],
    [4, call.architecture],
    [16, call.argument],
  ]);
  let value = 0;
  for (let at = 0; ; at += 8) {
    const [code, k] = [view.getUint16(at, true), view.getUint32(at + 4, true)];
    const jump = (isTrue: boolean): number => view.getUint8(at + (isTrue ? 2 : 3)) * 8;
    if (code === 0x20) value = fields.get(k)!;
    else if (code === 0x15) at += jump(value === k);
    else if (code === 0x25) at += jump(value > k);
    else if (code === 0x45) at += jump((value & k) !== 0);
    else if (code === 0x06) return k;
    else throw new Error(`code ${code}`);
  }
}

for (const [arch, numbers] of Object.entries(CALL_NUMBERS)) {
  describe(arch, () => {
    const { architecture, clone, socket, socketpair, refused } = numbers;
    const program = callFilter(arch)!;
    const asked = (number: number, argument = 0): number =>
      verdict(program, { number, architecture, argument });

    test("calls that no worker needs are refused, the others are not", () => {
      const dangerous = new Set(Object.values(refused));
      assert.equal(dangerous.size, Object.keys(refused).length, "each has a number of its own");
      for (let call = 0; call <= NEWEST_CALL; call++) {
        if (call === socket || call === socketpair) continue;
        assert.equal(asked(call), dangerous.has(call) ? errno(ENOSYS) : ALLOW, `call ${call}`);
      }
    });

    test("calls that a later kernel has, and those of x32, do not exist", () => {
      for (const call of [NEWEST_CALL + 1, 500, 0x40000000, 0x40000000 + clone, 0xffffffff])
        assert.equal(asked(call), errno(ENOSYS));
    });

    test("processes may be made, namespaces not", () => {
      assert.equal(asked(clone, 0x3d0f00), ALLOW, "a thread of the C library");
      for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
        assert.equal(asked(clone, flag | 17), errno(EPERM));
    });

    test("sockets are those of files", () => {
      for (const call of [socket, socketpair]) {
        assert.equal(asked(call, 1), ALLOW);
        for (const family of [0, 2, 10, 16, 17, 38, 40])
          assert.equal(asked(call, family), errno(EAFNOSUPPORT));
      }
    });

    test("a call of another processor's kind ends the process", () => {
      for (const other of [0x40000003, 0x40000028, 0])
        assert.equal(verdict(program, { number: 39, architecture: other, argument: 0 }), KILL);
    });
  });
}

test("a processor whose numbers are not known has no filter", () => {
  assert.equal(callFilter("riscv64"), undefined);
});
