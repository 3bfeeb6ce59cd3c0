/** Bytes for a person: "31.5 MB", "25 MB", "800 B". Decimal units, one digit. */
export function megabytes(bytes: number): string {
  const [unit, size] = bytes >= 1e6 ? ['MB', bytes / 1e6] : bytes >= 1e3 ? ['KB', bytes / 1e3] : ['B', bytes];
  return `${Math.round(size * 10) / 10} ${unit}`;
}
