import { retryAfterSeconds } from "./problem.js";

/** How often a request is sent, and for how long each time. */
export interface Attempts {
  /** How often a request is sent at most. */
  count: number;
  /** For how long an answer is waited for, each time. */
  timeoutMs: number;
}

/** Three attempts bridge a restart of one instance. 30 s is longer than any deadline of the API. */
export const ATTEMPTS: Attempts = { count: 3, timeoutMs: 30_000 };

/** Before the second attempt; it doubles. Long enough for a connection that was cut to be gone. */
const FIRST_PAUSE_MS = 100;
/** An answer that asks for more patience than this goes to the caller, who may know better. */
const LONGEST_PAUSE_MS = 10_000;
/** What a server or proxy answers that is out of order for a moment. */
const MOMENTARY = new Set([502, 503, 504]);

type Send = (request: Request) => Promise<Response>;

/** Sends a request again when no answer came, or one that asks for it: only what is done once however often it is sent. */
export function retrying(send: typeof fetch, { count, timeoutMs }: Attempts): Send {
  return async (request) => {
    const limit = isRepeatable(request) ? count : 1;
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= limit;
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
      let pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1);
      try {
        const response = await send(isLast ? request : request.clone(), { signal });
        const asked = retryAfterSeconds(response);
        const isMomentary = asked !== undefined || MOMENTARY.has(response.status);
        pauseMs = Math.max(pauseMs, (asked ?? 0) * 1000);
        if (isLast || response.status < 400 || !isMomentary || pauseMs > LONGEST_PAUSE_MS) return response;
        await response.body?.cancel();
      } catch (error) {
        if (isLast || request.signal.aborted) throw error;
      }
      await pause(pauseMs, request.signal);
    }
  };
}

/** A PUT or DELETE whose answer was lost would be told that its own version is gone. */
function isRepeatable(request: Request): boolean {
  const { method, headers } = request;
  return method === "GET" || method === "HEAD" || (method === "POST" && headers.has("Idempotency-Key"));
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
}
