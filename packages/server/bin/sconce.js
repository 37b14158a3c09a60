#!/usr/bin/env -S node --max-semi-space-size=4 --heap-growing-percent=80
// Room for short-lived objects, which saves the server process CPU time under load; and the old ones are collected before they take three times
// what is alive, so that overload does not grow the process (docs/dev/decisions.md).
import { runProgram } from "../dist/cli/program.js";

process.exitCode = await runProgram(process.argv.slice(2));
