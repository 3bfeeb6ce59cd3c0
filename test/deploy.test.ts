import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig, settings } from '../src/config.ts';
import { drawSample } from '../src/compute/draw.ts';
import { createTestClient } from './client.ts';
import { startProgram } from './fixtures/program.ts';

const run = promisify(execFile);

describe('docker-compose.yml', () => {
  const service = z.object({ image: z.string(), build: z.string().optional(), environment: z.record(z.string(), z.string()).default({}), command: z.array(z.string()).default([]), healthcheck: z.object({ test: z.array(z.string()) }).optional(), volumes: z.array(z.string()).default([]), depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}) });
  const compose = z.object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) });
  let text: string;
  let services: z.infer<typeof compose>['services'];
  let volumes: string[];
  beforeAll(async () => {
    text = await readFile('docker-compose.yml', 'utf8');
    const parsed = compose.parse(parse(text, { merge: true }));
    services = parsed.services;
    volumes = Object.keys(parsed.volumes);
  });
  const ours = () => Object.entries(services).filter(([, { build }]) => build !== undefined);
  /** What compose makes of `${NAME:-default}` and `${NAME:?sentence}`. */
  const filled = (value: string, environment: Record<string, string>) => value.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind: string | undefined, rest: string) => environment[name] ?? (kind === '-' ? rest : ''));
  const secrets = () => [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!);

  test('gives api, worker and migrate settings that there are, and with which they start', () => {
    const environment = Object.fromEntries(secrets().map((name) => [name, randomBytes(32).toString('hex')]));
    expect(ours().map(([name]) => name)).toEqual(['migrate', 'api', 'worker']);
    for (const [name, { environment: given }] of ours()) {
      expect(Object.keys(given).filter((setting) => !(setting in settings)), name).toEqual([]);
      const config = readConfig({ HOST: '0.0.0.0', ...Object.fromEntries(Object.entries(given).map(([setting, value]) => [setting, filled(value, environment)])) });
      expect(config.ROLE, name).toBe(name === 'migrate' ? 'all' : name);
    }
  });

  test('has no secret in it: each comes from the environment, has a sentence for when it is missing, and is made by the command at the top', () => {
    const made = /for name in ([A-Z_ ]+);/.exec(text)?.[1]?.split(' ') ?? [];
    expect(new Set(secrets())).toEqual(new Set(made));
    expect(made.length).toBeGreaterThanOrEqual(4);
    for (const [, sentence] of text.matchAll(/\$\{\w+:\?([^}]*)\}/g)) expect(sentence).toMatch(/^\w[\w ,.-]{20,}$/);
    for (const [name, { environment }] of Object.entries(services)) {
      for (const [variable, value] of Object.entries(environment)) if (/SECRET|PASSWORD/.test(variable)) expect(value, `${name} ${variable}`).toMatch(/^\$\{\w+(:\?[^}]+)?\}$/);
    }
  });

  test('keeps what must not be lost in volumes, and what Redis holds on its disk', () => {
    const mounted = Object.values(services).flatMap(({ volumes: mounts }) => mounts.filter((mount) => !mount.startsWith('.')).map((mount) => mount.split(':')[0]));
    expect(mounted.sort()).toEqual(volumes.sort());
    for (const name of ['postgres', 'redis', 'store']) expect(services[name]!.volumes.length, name).toBeGreaterThan(0);
    expect(services['redis']!.command.join(' ')).toMatch(/--appendonly yes .*noeviction/);
    for (const { volumes: mounts } of Object.values(services)) {
      for (const file of mounts.filter((mount) => mount.startsWith('.'))) expect(existsSync(file.split(':')[0]!), file).toBe(true);
    }
  });

  test('starts a service when what it needs is healthy, so what is waited for has a check', () => {
    for (const [name, { depends_on: needs }] of Object.entries(services)) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        if (condition === 'service_healthy') expect(services[needed]?.healthcheck, `${name} needs ${needed}`).toBeDefined();
        else expect([needed, condition]).toEqual(['migrate', 'service_completed_successfully']);
      }
    }
  });
});

describe('the image', () => {
  let app: string;
  // The steps of the Dockerfile that can be had without Docker: compile, and put what it copies side by side.
  beforeAll(async () => {
    app = await mkdtemp(join(tmpdir(), 'darkroom-image-'));
    // Types are a check of their own.
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(app, 'dist')]);
    const last = (await readFile('Dockerfile', 'utf8')).split(/^FROM /m).at(-1)!;
    const copied = [...last.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    for (const name of copied) await cp(name, join(app, name), { recursive: true });
    await symlink(join(process.cwd(), 'node_modules'), join(app, 'node_modules'));
    await mkdir(join(app, 'data'));
  }, 300_000);
  afterAll(() => rm(app, { recursive: true, force: true }));

  test('holds what its build copies, runs as nobody special, and leaves out what is secret or large', async () => {
    const [dockerfile, ignored] = await Promise.all([readFile('Dockerfile', 'utf8'), readFile('.dockerignore', 'utf8')]);
    expect(dockerfile).toMatch(/^USER node$/m);
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: { start: string } };
    expect(dockerfile.trimEnd().split('\n').at(-1)).toBe(`CMD ${JSON.stringify(scripts.start.split(' ')).replaceAll(',', ', ')}`);
    const rules = ignored.split('\n').filter((line) => line && !line.startsWith('#'));
    expect(rules[0]).toBe('*');
    const allowed = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
    for (const name of allowed) expect(existsSync(name), name).toBe(true);
    expect(allowed.some((name) => /node_modules|\.env|\.git|data|\.cache/.test(name))).toBe(false);
    for (const [, names] of dockerfile.matchAll(/^COPY (?!--from|\. )(.+) \S+$/gm)) for (const name of names!.split(' ')) expect(allowed, name).toContain(name);
  });

  test('migrates and ends, and then starts compiled: an upload is stored, analysed in a child process and served', async () => {
    const settings = { DATA_DIR: join(app, 'data') };
    await run(process.execPath, ['dist/main.js', 'migrate'], { cwd: app, env: { PATH: process.env['PATH'], ...settings } });
    await expect(run(process.execPath, ['dist/main.js', 'migraet'], { cwd: app })).rejects.toThrow(/Expected nothing or "migrate" after the program's name but received "migraet"/);
    const program = await startProgram(settings, { cwd: app, args: ['dist/main.js'] });
    try {
      expect((await fetch(`${program.url}/health/ready`)).status).toBe(200);
      const client = createTestClient(program.url, '', 'local');
      const images = await client.uploadAndAnalyze([{ name: 'red-car.jpg', bytes: await drawSample('red-car.jpg', { width: 300 }) }]);
      const { image } = await client.get('query ($id: ID!) { image(id: $id) { url { url } analysis { caption { text } } } }', { id: images.get('red-car.jpg') });
      expect(image.analysis.caption.text).toMatch(/./);
      expect((await fetch(image.url.url)).status).toBe(200);
    } finally {
      expect(await program.stop()).toBe(0);
    }
    expect(program.noise).toEqual([]);
  }, 240_000);
});
