/** Postgres keeps neither NUL nor half a surrogate pair, and strangers write both: in a bar code, a file, a provider's answer. */
export const storableText = (text: string): string => text.replace(/[\0\p{Surrogate}]/gu, '\ufffd');

/** The same data with storable text in it. */
export function storable<Data>(data: Data): Data {
  return JSON.parse(JSON.stringify(data), (_key, part: unknown) => (typeof part === 'string' ? storableText(part) : part)) as Data;
}
