/** What a constraint refused, as Prisma's client (P2002, P2003) and the driver below it say it. */
export const isUniqueViolation = (error: unknown): boolean => faultOf(error) === 'P2002' || faultOf(error) === 'UniqueConstraintViolation';
export const isForeignKeyViolation = (error: unknown): boolean => faultOf(error) === 'P2003' || faultOf(error) === 'ForeignKeyConstraintViolation';

/** A text with a NUL in it, which Postgres can neither keep nor compare with. The driver has the code beside its sentence, Prisma's client has it in there. */
export const isUnstorableText = (error: Error): boolean => (error.cause as { originalCode?: unknown } | undefined)?.originalCode === '22021' || error.message.includes('Code: `22021`');

function faultOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  // Of hand-written SQL the client says only that it failed (P2010); what the driver said is beside it.
  const fault: unknown = 'meta' in error && 'code' in error && error.code === 'P2010' ? (error.meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError : error;
  if (!(fault instanceof Error)) return undefined;
  if ('code' in fault) return fault.code;
  return fault.name === 'DriverAdapterError' ? (fault.cause as { kind?: unknown }).kind : undefined;
}
