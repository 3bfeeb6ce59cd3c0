/** Each connection keeps what it has planned, of so many statements: those that are asked all the time come first. */
const maxPrepared = 300;

/** Words of a search have statements as many as there are ways to put them, which would leave no place to others. */
const isOneOfMany = (sql: string) => sql.includes('phraseto_tsquery');

/** Gives each text the name under which a connection keeps its plan; none ("") beyond the limit. */
export function nameStatements(): (query: { sql: string }) => string {
  const names = new Map<string, string>();
  return ({ sql }) => {
    if (!names.has(sql) && names.size < maxPrepared && !isOneOfMany(sql)) names.set(sql, `darkroom_${names.size}`);
    return names.get(sql) ?? '';
  };
}
