import { ServeError } from "../../../base/errors.ts";
import { readBody } from "../call/body.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, ownValue } from "../json/fields.ts";

const LONGEST_S = 30;
const USUAL_S = 5;

/** A CPU profile of the server process, for the administrator. */
export function v2ProfileRoutes(): readonly Route[] {
  return [{ method: "POST", urls: ["/v2/profile"], needs: "admin", run: answerProfile }];
}

async function answerProfile(call: RestCall): Promise<void> {
  const { adminGate, cpuProfiler, logger } = call.context;
  const by = adminGate.admit(call.credentials);
  if (cpuProfiler === undefined) {
    throw new ServeError(
      "failed_precondition",
      "this server does not record profiles of itself: start it with --allow-profile",
      { reason: "profile_off" },
    );
  }
  const body = await readBody(call);
  const seconds = body.length === 0 ? USUAL_S : await readSeconds(call, body);
  logger.info({ audit: "profile", by, seconds }, `audit: a profile of the server, asked for by ${by}`);
  call.send(200, JSON_TYPE, await cpuProfiler.record(seconds * 1000, call.signal));
}

async function readSeconds(call: RestCall, body: Buffer): Promise<number> {
  const whole = {
    span: { start: 0, end: body.length },
    pattern: {},
    expected: '{"seconds": 5} or an empty body',
  };
  const { value } = await call.workOff(body.length, readEnvelope(body, whole, call.context.limits));
  const seconds = ownValue(value, "seconds") ?? USUAL_S;
  if (typeof seconds === "number" && seconds > 0 && seconds <= LONGEST_S) return seconds;
  throw bad("seconds", `expected a number above 0, at most ${LONGEST_S}`);
}
