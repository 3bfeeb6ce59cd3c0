import { AudioClip } from '../../assets/audio-schema.ts';
import { mustBeThere, UserError } from '../../errors.ts';
import { builder, rowId } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startJob } from '../../jobs/start.ts';
import { Job } from '../../jobs/types.ts';
import { cloneVoice } from './operation.ts';
import type { Result } from './parameters.ts';

const settings = {
  stability: '0 to 1: low for more feeling, high for an even voice.',
  similarityBoost: '0 to 1: how closely it keeps to the recordings.',
  style: '0 to 1: how much it exaggerates the way of speaking; above 0 it is slower.',
  useSpeakerBoost: 'Come closer to the speaker, which is slower.',
};

const CloneVoiceInput = builder.inputType('CloneVoiceInput', {
  description: 'What the voice shall be. All but the name can be left out.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What the voice is called at the provider, 1 to 100 characters.' }),
    description: t.string({ description: 'At most 400 characters.' }),
    labels: t.field({ type: 'JSON', description: 'At most 10 pairs of texts, such as {"language": "en", "accent": "Scottish"}.' }),
    removeBackgroundNoise: t.boolean({ defaultValue: false, description: 'Clean the recordings first. Where there is no noise it makes them worse.' }),
    stability: t.float({ defaultValue: 0.5, description: settings.stability }),
    similarityBoost: t.float({ defaultValue: 0.75, description: settings.similarityBoost }),
    style: t.float({ defaultValue: 0, description: settings.style }),
    useSpeakerBoost: t.boolean({ defaultValue: true, description: settings.useSpeakerBoost }),
  }),
});

const VoiceSettings = builder.objectRef<Result['settings']>('VoiceSettings').implement({
  description: 'How a voice speaks.',
  fields: (t) => ({
    stability: t.exposeFloat('stability', { description: settings.stability }),
    similarityBoost: t.exposeFloat('similarityBoost', { description: settings.similarityBoost }),
    style: t.exposeFloat('style', { description: settings.style }),
    useSpeakerBoost: t.exposeBoolean('useSpeakerBoost', { description: settings.useSpeakerBoost }),
  }),
});

export const CloneVoiceResult = builder.objectRef<Result>('CloneVoiceResult').implement({
  description: 'The result of a CLONE_VOICE job. The voice belongs to the account of this server at the provider and stays there until somebody deletes it there.',
  fields: (t) => ({
    voiceId: t.exposeString('voiceId', { description: 'The id of the voice at the provider.' }),
    name: t.exposeString('name'),
    description: t.exposeString('description'),
    settings: t.expose('settings', { type: VoiceSettings }),
    requiresVerification: t.exposeBoolean('requiresVerification', { description: 'The provider wants a proof that the speaker agrees before the voice can be used.' }),
  }),
});

builder.mutationField('cloneVoice', (t) =>
  t.prismaField({
    type: Job,
    scope: 'jobs:write',
    description: 'Makes a voice out of 1 to 25 recordings of one speaker, in the order of `audioIds`. A job that is cancelled or fails leaves no voice behind. Make sure that the speaker agrees.',
    args: { audioIds: t.arg.globalIDList({ required: true, for: AudioClip, description: '1 to 25.' }), input: t.arg({ type: CloneVoiceInput, required: true }), options: t.arg({ type: JobOptions }) },
    resolve: async (query, _root, { audioIds, input, options }, { app, viewer }) => {
      const { min, max } = cloneVoice.inputs;
      const ids = [...new Set(audioIds.map(rowId))];
      if (ids.length < min || ids.length > max) throw new UserError('INVALID_INPUT', `Expected ${min} to ${max} audioIds but received ${ids.length}`);
      mustBeThere('recording', 'audioIds', audioIds.map(rowId), await app.db.asset.findMany({ where: { id: { in: ids }, ownerId: viewer.id, kind: 'AUDIO' }, select: { id: true } }));
      const parameters = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
      const job = await startJob(app, viewer, { operation: cloneVoice, inputIds: ids, parameters, options: options ?? {} });
      return app.db.job.findFirstOrThrow({ ...query, where: { id: job.id, ownerId: viewer.id } });
    },
  }),
);
