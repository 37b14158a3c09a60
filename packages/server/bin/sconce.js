#!/usr/bin/env -S node --max-semi-space-size=4 --heap-growing-percent=80
// Room for short-lived objects, which saves the server process CPU time under load; and the old ones are collected before they take three times
// what is alive, so that overload does not grow the process (docs/dev/decisions.md).

// Before anything is imported that an older Node cannot read. `engines` in package.json says the same to npm, which only warns.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`sconce: this is Node ${process.versions.node}, and it takes 20.19 or later\n`);
  process.exit(1);
}

const { runProgram } = await import("../dist/cli/program.js");

process.exitCode = await runProgram(process.argv.slice(2));
