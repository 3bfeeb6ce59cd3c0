/** Postgres keeps neither NUL nor half a surrogate pair, and strangers write both: in a bar code, a file, a provider's answer. */
export const storableText = (text: string): string => text.replace(/[\0\p{Surrogate}]/gu, '\ufffd');

/** The same data with storable text in it. */
export function storable<Data>(data: Data): Data {
  const json = JSON.stringify(data);
  // Both are written as escapes in JSON. Most data has neither, and to look at each part takes twice as long as the rest.
  const mend = /\\u(0000|d[89a-f])/.test(json) ? (_key: string, part: unknown) => (typeof part === 'string' ? storableText(part) : part) : undefined;
  return JSON.parse(json, mend) as Data;
}
