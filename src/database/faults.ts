/** What a constraint refused, as Prisma's client (P2002, P2003) and the driver below it say it. */
export const isUniqueViolation = (error: unknown): boolean => faultOf(error) === 'P2002' || faultOf(error) === 'UniqueConstraintViolation';
export const isForeignKeyViolation = (error: unknown): boolean => faultOf(error) === 'P2003' || faultOf(error) === 'ForeignKeyConstraintViolation';

function faultOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error) return error.code;
  return error.name === 'DriverAdapterError' ? (error.cause as { kind?: unknown }).kind : undefined;
}
