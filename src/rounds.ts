/** Does `work` every `intervalMs` until stopped, one round after the other. A round that fails is told to `onFault`, and the next one tried. */
export function inRounds(work: () => Promise<void>, intervalMs: number, onFault: (error: unknown) => void): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const next = () => {
    timer = setTimeout(() => {
      round = work().catch(onFault).finally(() => { if (!stopped) next(); });
    }, intervalMs);
  };
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}
