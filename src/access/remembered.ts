const maxAgeMs = 60_000;
const maxEntries = 10_000;

/** What `load` gives for a key, asked for once a minute at most, however many ask at once. A failure is not remembered. */
export function remembered<Value>(load: (key: string) => Promise<Value>) {
  const entries = new Map<string, { at: number; value: Promise<Value> }>();
  return {
    get(key: string): Promise<Value> {
      const known = entries.get(key);
      if (known && Date.now() - known.at < maxAgeMs) return known.value;
      // Strangers may come with any number of names; to ask again is all it costs.
      if (entries.size >= maxEntries) entries.clear();
      const entry = { at: Date.now(), value: load(key) };
      entries.set(key, entry);
      entry.value.catch(() => entries.get(key) === entry && entries.delete(key));
      return entry.value;
    },
    forget: () => entries.clear(),
  };
}
