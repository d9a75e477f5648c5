export { RentTracker, type Options } from "./client.js";
export type { components, operations, paths } from "./generated/schema.js";
export { isMoney, money, type Money } from "./money.js";
export type { Payment, PaymentDraft, PaymentList, PaymentMethod } from "./payments.js";
export {
  ConflictError,
  ForbiddenError,
  InvalidRequestError,
  KeyReusedError,
  NotFoundError,
  PreconditionFailedError,
  type Problem,
  ProblemError,
  UnauthenticatedError,
} from "./problem.js";
export type { Property, PropertyDraft, PropertyList } from "./properties.js";
export type { Attempts } from "./retry.js";
export type { Versioned } from "./version.js";
