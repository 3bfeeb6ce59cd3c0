import { chargeUploads } from '../access/limits/charge.ts';
import { AudioClip, AudioFormatEnum } from '../assets/audio-schema.ts';
import { cleanTags } from '../assets/tags.ts';
import { checkWords } from '../assets/update.ts';
import { audioFormats, type AudioFormat } from '../compute/audio.ts';
import { audioLimits } from '../compute/limits.ts';
import { builder } from '../graphql/builder.ts';
import { receiveAudio, type ReceivedAudio } from './audio.ts';
import { allOf, receiveEach, type Outcome } from './receive.ts';
import { checkCount, index, RefusedFile, UploadLimits } from './schema.ts';

type AudioOutcome = Outcome<ReceivedAudio>;
type Stored = Extract<AudioOutcome, { kind: 'stored' }>;

const UploadedAudio = builder.objectRef<Stored>('UploadedAudio').implement({
  description: 'The recording is stored.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: index }),
    filename: t.exposeString('filename'),
    alreadyStored: t.exposeBoolean('alreadyStored', { description: 'The viewer had uploaded these very bytes before; this is that recording, as it was: tags and metadata of this request are not taken over.' }),
    audioClip: t.prismaField({ type: AudioClip, resolve: (query, { asset }, _args, { app, viewer }) => app.db.asset.findFirstOrThrow({ ...query, where: { id: asset.id, ownerId: viewer.id } }) }),
  }),
});

const AudioUploadResult = builder.unionType('AudioUploadResult', {
  types: [UploadedAudio, RefusedFile],
  resolveType: (result) => ('asset' in result ? UploadedAudio : RefusedFile),
});

const UploadAudioPayload = builder.objectRef<AudioOutcome[]>('UploadAudioPayload').implement({
  fields: (t) => ({
    results: t.field({ type: [AudioUploadResult], description: 'One for each file, in the order of `files`.', resolve: (results) => results }),
  }),
});

builder.mutationField('uploadAudio', (t) =>
  t.field({
    type: UploadAudioPayload,
    scope: 'images:write',
    description: 'Stores recordings, as a multipart request. One bad file does not spoil the others. See `uploadLimits`.',
    args: {
      files: t.arg({ type: ['File'], required: true }),
      tags: t.arg.stringList({ description: 'Tags for every recording: at most 50 of 60 characters. One that was stored before keeps its own.' }),
      metadata: t.arg({ type: 'JSON', description: 'Kept with every recording; at most 16 KB. One that was stored before keeps its own.' }),
    },
    resolve: async (_root, { files, tags, metadata }, { app, viewer }) => {
      checkCount(app, files.length);
      checkWords({ metadata });
      cleanTags(tags ?? []);
      await chargeUploads(app, viewer, files.length);
      return allOf(receiveEach(files.map(({ filename }) => filename), (index) => receiveAudio(app, viewer, files[index]!, { tags, metadata })));
    },
  }),
);

builder.objectFields(UploadLimits, (t) => ({
  maxAudioBytes: t.int({ description: 'Bytes of one recording.', resolve: (_limits, _args, { app }) => audioLimits(app.config).maxBytes }),
  maxAudioSeconds: t.int({ description: 'Length of one recording.', resolve: (_limits, _args, { app }) => audioLimits(app.config).maxSeconds }),
  audioFormats: t.field({ type: [AudioFormatEnum], description: 'Of recordings, told by the bytes, not by the name. Films are refused: send their sound alone.', resolve: () => Object.keys(audioFormats) as AudioFormat[] }),
}));
