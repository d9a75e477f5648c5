import type { components } from "./generated/schema.js";

/** The body of a refusal (RFC 9457). A proxy's may lack what the API always says. */
export type Problem = Partial<components["schemas"]["Problem"]> & { title: string };

/** A request that was refused, or that could not be answered. */
export class ProblemError extends Error {
  override readonly name: string = "ProblemError";

  constructor(
    readonly status: number,
    readonly problem: Problem,
    /** When it may be tried again, if the answer says so. */
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(problem.detail ? `${status} ${problem.title}: ${problem.detail}` : `${status} ${problem.title}`);
  }
}

/** 400: `errors` says of each member what is wrong with it. */
export class InvalidRequestError extends ProblemError {
  override readonly name = "InvalidRequestError";

  get errors(): Readonly<Record<string, readonly string[]>> {
    return this.problem.errors ?? {};
  }
}

/** 401: there is no valid token. */
export class UnauthenticatedError extends ProblemError {
  override readonly name = "UnauthenticatedError";
}

/** 403: the token does not permit it. */
export class ForbiddenError extends ProblemError {
  override readonly name = "ForbiddenError";
}

/** 404: there is no such thing, or it is another landlord's. */
export class NotFoundError extends ProblemError {
  override readonly name = "NotFoundError";
}

/** 409: `rowVersion` is not the current one, or the first request with this key is under way. */
export class ConflictError extends ProblemError {
  override readonly name = "ConflictError";
}

/** 412: somebody has changed it since. Read it again and decide anew. */
export class PreconditionFailedError extends ProblemError {
  override readonly name = "PreconditionFailedError";
}

/** 422: the key was used for another request. */
export class KeyReusedError extends ProblemError {
  override readonly name = "KeyReusedError";
}

const ERRORS = new Map<number, typeof ProblemError>([
  [400, InvalidRequestError],
  [401, UnauthenticatedError],
  [403, ForbiddenError],
  [404, NotFoundError],
  [409, ConflictError],
  [412, PreconditionFailedError],
  [422, KeyReusedError],
]);

/** The error that an answer is. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const { status } = response;
  const problem = { title: response.statusText || "Refused", ...(await readProblem(response)) };
  return new (ERRORS.get(status) ?? ProblemError)(status, problem, retryAfterSeconds(response));
}

/** A proxy may answer with what is no problem. */
async function readProblem(response: Response): Promise<Partial<Problem> | undefined> {
  if (!response.headers.get("Content-Type")?.startsWith("application/problem+json")) return undefined;
  try {
    return (await response.json()) as Partial<Problem>;
  } catch {
    return undefined;
  }
}

/** The seconds of `Retry-After`. A date is not what this API sends. */
export function retryAfterSeconds(response: Response): number | undefined {
  const text = response.headers.get("Retry-After");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
