import { openAccess, type Access } from './access/authenticate.ts';
import { chargeOperation, chargeRequest } from './access/limits/charge.ts';
import { watchDoor } from './access/limits/door.ts';
import { mustAllow } from './access/viewer.ts';
import { openApp, type App, type OwnParts } from './app.ts';
import { serveArchives } from './assets/serve-archives.ts';
import { serveFiles } from './assets/serve.ts';
import { openLivingAssets } from './assets/living-assets.ts';
import { servePublic } from './assets/serve-public.ts';
import { openRenditions, serveRenditions } from './assets/serve-renditions.ts';
import { startSweeper } from './assets/sweep.ts';
import type { Config } from './config.ts';
import type { Context } from './graphql/builder.ts';
import { createGuard } from './graphql/guard.ts';
import { requiredScopes } from './graphql/required-scopes.ts';
import { schema } from './graphql/schema.ts';
import { startServer, type Health, type Route, type RunningServer } from './graphql/server.ts';
import { startReconciler } from './jobs/reconcile.ts';
import { settleRestoredEvents } from './jobs/restored.ts';
import { endLeases } from './jobs/transitions.ts';
import { startWorker } from './jobs/work.ts';
import { startDeliveries } from './webhooks/deliver.ts';
import type { Log } from './log.ts';
import { checkOperationSettings } from './operations/index.ts';
import { readSigningSecret } from './storage/signature.ts';
import { receiveDirect } from './uploads/direct.ts';
import { openResumable } from './uploads/resumable.ts';

export interface Darkroom {
  app: App;
  /** Where the API listens; null in a process that is only a worker. */
  url: string | null;
  /** Stops without losing anything: requests end, running jobs end or go back to the queue, then everything is closed. */
  stop(): Promise<void>;
}

/** Starts this process's part of Darkroom: the API, a worker, or both. */
export async function startDarkroom(config: Config, log: Log, parts: OwnParts = {}): Promise<Darkroom> {
  checkOperationSettings(config);
  let server: RunningServer | null = null;
  let files: Awaited<ReturnType<typeof openFiles>> | null = null;
  let access: Access | null = null;
  // With PORT=0 the address is known only once the server listens.
  const publicUrl = () => (config.PORT === 0 && server ? server.url : config.PUBLIC_URL);
  const app = await openApp(config, log, publicUrl, parts);
  const restored = await settleRestoredEvents(app.sql);
  if (restored > 0) log.info({ events: restored }, 'The database was restored from a dump: its events are settled, and cursors of before are refused');
  // PGlite belongs to this process alone, which runs nothing yet: the reconciler need not wait for the leases of one that was killed.
  if (app.database.kind === 'pglite') await endLeases(app.sql);
  const reconciler = startReconciler(app);
  const worker = config.ROLE === 'api' ? null : startWorker(app);
  const sweeper = startSweeper(app);
  const deliveries = config.ROLE === 'api' ? null : startDeliveries(app);
  const stop = async () => {
    sweeper.stop();
    // At the same time, so that the whole stop takes the time-out once.
    await Promise.all([server?.close(config.SHUTDOWN_TIMEOUT), worker?.stop(config.SHUTDOWN_TIMEOUT)]);
    await Promise.all([reconciler.stop(), deliveries?.stop(), files?.close(), access?.close()]);
    await app.close();
  };
  try {
    if (config.ROLE !== 'worker') {
      files = await openFiles(app);
      access = await openAccess(app);
      server = await listen(app, access, files.routes);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { app, url: server?.url ?? null, stop };
}

/** The routes that hand out files, and the one that takes them by a signed URL. */
async function openFiles(app: App): Promise<{ routes: Route[]; close(): Promise<void> }> {
  const secret = await readSigningSecret(app.config.DATA_DIR, app.config.SIGNING_SECRET);
  const assets = await openLivingAssets(app);
  const renditions = await openRenditions(app);
  return {
    routes: [serveFiles(app, secret), serveRenditions(app, secret, assets, renditions.find), servePublic(app, secret, assets, renditions.find), serveArchives(app, secret), receiveDirect(app, secret)],
    close: async () => void (await Promise.all([assets.close(), renditions.close()])),
  };
}

async function listen(app: App, access: Access, routes: Route[]): Promise<RunningServer> {
  const { config, log } = app;
  const door = watchDoor(app);
  const { addressOf } = createGuard(config);
  const identify = (address: string, authorization: string | undefined) => door.pass(address, authorization, () => access.authenticate(authorization));
  const resumable = openResumable(app, async (request) => {
    const viewer = await identify(addressOf(request), request.headers.authorization);
    // To ask how much has arrived is part of sending it.
    if (request.method !== 'HEAD') await chargeRequest(app, viewer);
    return viewer;
  });
  return startServer<Context>({
    config,
    log,
    schema,
    context: async ({ authorization, address, requestId }) => ({ app, requestId, viewer: await identify(address, authorization) }),
    chargeRequest: ({ viewer }) => chargeRequest(app, viewer),
    admit: ({ schema, document, operationName }, { viewer }) => mustAllow(viewer, requiredScopes(schema, document, operationName)),
    chargeOperation: ({ viewer }, operation) => chargeOperation(app, viewer, operation),
    expiresAt: ({ viewer }) => viewer.expiresAt,
    watch: ({ viewer }, end) => access.watch(viewer, end),
    routes: [...routes, resumable],
    health: () => checkHealth(app),
  });
}

/** One line for each thing this process needs. */
async function checkHealth({ database, storage, queue, events }: App): Promise<Health> {
  const checks = { database: () => database.check(), storage: () => storage.check(), queue: async () => void (await queue.depth()), events: () => events.check() };
  const lines = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await check();
        return [name, { ok: true }] as const;
      } catch (error) {
        return [name, { ok: false, detail: error instanceof Error ? error.message : String(error) }] as const;
      }
    }),
  );
  return Object.fromEntries(lines);
}
